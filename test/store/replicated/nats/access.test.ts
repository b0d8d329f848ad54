// How a node gets in at the servers of NATS, and what it says where it does not: at its start, and while it runs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../../src/store/errors.ts';
import { UnansweredError } from '../../../../src/store/replicated/log-client.ts';
import type { NatsLog } from '../../../../src/store/replicated/nats/client.ts';
import { openNatsLog } from '../../../../src/store/replicated/nats/open.ts';
import {
  type NatsLogin,
  type NatsPlace,
  type NatsTls,
  NO_LOGIN,
} from '../../../../src/store/replicated/nats/place.ts';
import {
  dnsName,
  ipName,
  makeCertificate,
  makeClient,
  makeServer,
} from '../../../support/certificates.ts';
import { NATS_SERVER, NatsServers } from '../../../support/nats.ts';
import { makeNkey, NatsOperator, tlsLines } from '../../../support/nats-login.ts';

const PATIENCE = { timeout: 60_000, interval: 100 };

const folder = mkdtempSync(join(tmpdir(), 'leveret-access-'));
const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
afterEach(async () => {
  for (const end of ends.splice(1).reverse()) await end();
});

/** Starts a server with these lines in its configuration. */
async function serverWith(more: string): Promise<NatsServers> {
  const servers = await NatsServers.start({ more });
  ends.push(() => servers.stop());
  return servers;
}

/** Opens a log there, and asks for its state. */
async function opened(servers: NatsServers, more: Partial<NatsPlace> = {}): Promise<NatsLog> {
  const log = await openNatsLog(servers.place({ logBytesMax: 2 ** 24, ...more }));
  ends.push(() => log.close());
  await log.state();
  return log;
}

let files = 0;
function file(text: string): string {
  files += 1;
  const path = join(folder, `${files}`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** The text of the StoreError that it rejects with. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  return (error as StoreError).message;
}

describe.skipIf(NATS_SERVER === null)('TLS', () => {
  const authority = makeCertificate({ subject: 'nats authority', authority: true });
  const other = makeCertificate({ subject: 'another authority', authority: true });
  const ca = file(authority.pem);
  const tls = (more: Partial<NatsTls> = {}): { tls: NatsTls } => ({
    tls: { ca, cert: null, key: null, ...more },
  });
  const client = (signedBy = authority): Partial<NatsTls> => {
    const certificate = makeClient(signedBy);
    return { cert: file(certificate.pem), key: file(certificate.keyPem) };
  };

  test('with a private authority, and servers that are named by their addresses', async () => {
    const alternativeNames = [ipName('127.0.0.1')];
    const server = makeCertificate({ subject: 'n0', signedBy: authority, alternativeNames });
    const servers = await serverWith(tlsLines(folder, { authority, server }));
    await opened(servers, tls());
    const untrusted = 'name the authority that signs their certificates in cluster.nats.tls.ca';
    expect(await refusal(opened(servers))).toContain(untrusted);
    expect(await refusal(opened(servers, tls({ ca: file(other.pem) })))).toContain(untrusted);
    const named = servers.addresses.map((each) => each.replace('127.0.0.1', 'localhost'));
    expect(await refusal(opened(servers, { ...tls(), servers: named }))).toMatch(
      /localhost.*name the servers in cluster\.nats\.servers as their certificates do$/,
    );
  });

  test('a certificate for localhost is none for an address', async () => {
    const alternativeNames = [dnsName('localhost')];
    const server = makeCertificate({ subject: 'n0', signedBy: authority, alternativeNames });
    const servers = await serverWith(tlsLines(folder, { authority, server }));
    expect(await refusal(opened(servers, tls()))).toContain('127.0.0.1');
    const named = servers.addresses.map((each) => each.replace('127.0.0.1', 'localhost'));
    await opened(servers, { ...tls(), servers: named });
  });

  test('where the servers demand a certificate', async () => {
    const server = makeServer(authority);
    const servers = await serverWith(tlsLines(folder, { authority, server }, true));
    await opened(servers, tls(client()));
    expect(await refusal(opened(servers, tls()))).toContain(
      'they ask for a certificate: set cluster.nats.tls.cert and cluster.nats.tls.key',
    );
    expect(await refusal(opened(servers, tls(client(other))))).toContain(
      'see that their authorities have signed cluster.nats.tls.cert',
    );
  });

  test('that has run out, or that the servers do not speak', async () => {
    const old = makeCertificate({
      subject: 'n0',
      signedBy: authority,
      alternativeNames: [ipName('127.0.0.1')],
      validFromMs: Date.parse('2020-01-01'),
      validToMs: Date.parse('2021-01-01'),
    });
    const servers = await serverWith(tlsLines(folder, { authority, server: old }));
    expect(await refusal(opened(servers, tls()))).toContain('give the servers new certificates');
    servers.more = '';
    await servers.kill(0);
    await servers.restart(0);
    expect(await refusal(opened(servers, tls()))).toContain(
      'it speaks no TLS: leave out cluster.nats.tls.*, or have the servers speak TLS',
    );
  });

  test('files that are not what they should be are refused by the key that names them', async () => {
    const place = (given: Partial<NatsTls>): Promise<unknown> =>
      openNatsLog({
        ...{ servers: ['127.0.0.1:1'], login: NO_LOGIN, cluster: 'a', group: 'b', node: 'c' },
        secretOf: 'b',
        ...{ replicas: 1, logBytesMax: 2 ** 20, monitor: [], requireSync: true },
        ...tls(given),
      });
    expect(await refusal(place({ ca: '/nowhere/ca.pem' }))).toMatch(
      /ENOENT.*cluster\.nats\.tls\.ca$/,
    );
    expect(await refusal(place({ ca: file('no certificate') }))).toMatch(/cluster\.nats\.tls\.ca$/);
    expect(await refusal(place({ ...client(), cert: file('none') }))).toMatch(/tls\.cert$/);
    expect(await refusal(place({ ...client(), key: file('none') }))).toMatch(/tls\.key$/);
    expect(await refusal(place({ ...client(), key: file(other.keyPem) }))).toMatch(/tls\.key$/);
  });

  test('a certificate that is replaced while the node runs is told, and the right one needs no restart', async () => {
    const server = makeServer(authority);
    const servers = await serverWith(tlsLines(folder, { authority, server }));
    const log = await opened(servers, tls());
    await servers.kill(0);
    tlsLines(folder, { authority: other, server: makeServer(other) });
    await servers.restart(0);
    await expect.poll(() => why(log), PATIENCE).toContain('cluster.nats.tls.ca');
    await servers.kill(0);
    tlsLines(folder, { authority, server });
    await servers.restart(0);
    await expect.poll(() => why(log), PATIENCE).toBe('');
  });
});

/** Why the log does not answer; empty: it does. */
async function why(log: NatsLog): Promise<string> {
  try {
    await log.state();
    return '';
  } catch (error) {
    // The node goes on waiting for it.
    expect(error).toBeInstanceOf(UnansweredError);
    return (error as Error).message;
  }
}

const PASSWORD = 'hush-hush-password';
const TOKEN = 'hush-hush-token';
const login = (more: Partial<NatsLogin>): { login: NatsLogin } => ({
  login: { ...NO_LOGIN, ...more },
});

describe.skipIf(NATS_SERVER === null)('a login', () => {
  const users = (password: string): string =>
    `authorization { users: [{ user: leveret, password: "${password}" }] }`;
  const right = login({ user: 'leveret', password: PASSWORD });

  test('by a user with a password', async () => {
    const servers = await serverWith(users(PASSWORD));
    await opened(servers, right);
    const refused = await refusal(opened(servers, login({ user: 'leveret', password: TOKEN })));
    expect(refused).toMatch(
      /refuse the login .*see cluster\.nats\.user and cluster\.nats\.password$/,
    );
    expect(refused).not.toContain(TOKEN);
    expect(await refusal(opened(servers))).toContain(
      'set cluster.nats.credentials, cluster.nats.user',
    );
    // One that is away does not hide what the others say.
    const twoServers = [...servers.addresses, '127.0.0.1:1'];
    expect(await refusal(opened(servers, { servers: twoServers }))).toContain('refuse the login');
  });

  test('by a token', async () => {
    const servers = await serverWith(`authorization { token: "${TOKEN}" }`);
    await opened(servers, login({ token: TOKEN }));
    expect(await refusal(opened(servers, login({ token: PASSWORD })))).toMatch(
      /refuse the login .*see cluster\.nats\.token$/,
    );
  });

  test('by the seed of an nkey', async () => {
    const { name, seed } = makeNkey();
    const servers = await serverWith(`authorization { users: [{ nkey: ${name} }] }`);
    await opened(servers, login({ credentials: file(`${seed}\n`) }));
    expect(await refusal(opened(servers, login({ credentials: file(makeNkey().seed) })))).toMatch(
      /cluster\.nats\.credentials\)$/,
    );
  });

  test('by a file of credentials', async () => {
    const operator = new NatsOperator();
    const servers = await serverWith(operator.lines);
    await opened(servers, login({ credentials: file(operator.credentials()) }));
    const stranger = file(new NatsOperator().credentials());
    expect(await refusal(opened(servers, login({ credentials: stranger })))).toMatch(
      /refuse the login .*cluster\.nats\.credentials\)$/,
    );
    const old = file(operator.credentials(-3_600_000));
    expect(await refusal(opened(servers, login({ credentials: old })))).toMatch(
      /have ended at 20[-T:0-9]+\.000Z: write new ones .*cluster\.nats\.credentials/,
    );
    const odd = await refusal(opened(servers, login({ credentials: file('SUAhush') })));
    expect(odd).toMatch(/holds no credentials of NATS: see cluster\.nats\.credentials$/);
    expect(odd).not.toContain('hush');
  });

  test('that is refused while the node runs is told, and the right one needs no restart', async () => {
    const servers = await serverWith(users(PASSWORD));
    const log = await opened(servers, right);
    servers.more = users('another');
    await servers.kill(0);
    await servers.restart(0);
    await expect.poll(() => why(log), PATIENCE).toContain('cluster.nats.password');
    expect(await why(log)).not.toContain(PASSWORD);
    servers.more = users(PASSWORD);
    await servers.kill(0);
    await servers.restart(0);
    await expect.poll(() => why(log), PATIENCE).toBe('');
  });

  test('by credentials that end while the node runs goes on with those that are written there', async () => {
    const operator = new NatsOperator();
    const servers = await serverWith(operator.lines);
    const path = file(operator.credentials(10_000));
    const log = await opened(servers, login({ credentials: path }));
    await expect.poll(() => why(log), PATIENCE).toContain('have ended at');
    writeFileSync(path, 'half of a fi');
    expect(await why(log)).not.toBe('');
    writeFileSync(path, operator.credentials());
    await expect.poll(() => why(log), PATIENCE).toBe('');
  });
});
