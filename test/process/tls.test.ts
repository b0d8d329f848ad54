import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type ChannelModel, connect, credentials } from 'amqplib';
import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import {
  type Certificates,
  makeCertificate,
  makeCertificates,
  makeServer,
  writeServerFiles,
} from '../support/certificates.ts';
import { type BrokerProcess, useProcesses } from './support.ts';

const processes = useProcesses();

interface Site {
  readonly folder: string;
  readonly made: Certificates;
  readonly config: string;
}

/** A folder with certificates and a config file that names them. */
function makeSite(...more: string[]): Site {
  const folder = processes.folder();
  const made = makeCertificates();
  const files = writeServerFiles(join(folder, 'tls'), made.authority, made.server);
  const config = join(folder, 'leveret.conf');
  const lines = [
    'listeners.ssl.default = 127.0.0.1:0',
    `ssl_options.cacertfile = ${files.sslCacertfile}`,
    `ssl_options.certfile = ${files.sslCertfile}`,
    `ssl_options.keyfile = ${files.sslKeyfile}`,
    ...more,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return { folder, made, config };
}

function spawn({ config }: Site, ...more: string[]): BrokerProcess {
  return processes.spawn(['--memory', '--port', '0', '--config', config, ...more]);
}

/** The real port of a listener, as the log has it once it listens: each has a line of its own. */
function portOf(broker: BrokerProcess, listener: string): Promise<number> {
  return eventually(() => {
    const port = broker.entries.find((entry) => entry['listener'] === listener)?.['port'];
    return port === undefined ? null : Number(port);
  }, `the port of ${listener}`);
}

async function secureConnect(broker: BrokerProcess, options: object): Promise<ChannelModel> {
  const port = await portOf(broker, 'listeners.ssl.default');
  const model = await connect(`amqps://guest:guest@localhost:${port}`, options);
  model.on('error', () => undefined);
  return model;
}

/** The name in the certificate that the broker shows. */
async function certificateName(broker: BrokerProcess): Promise<unknown> {
  const port = await portOf(broker, 'listeners.ssl.default');
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
  });
}

test('amqplib works over TLS, beside a listener without', async () => {
  const site = makeSite();
  const broker = await spawn(site).listening();
  const model = await secureConnect(broker, { ca: [site.made.authority.pem] });
  const channel = await model.createConfirmChannel();
  const { queue } = await channel.assertQueue('q');
  const body = Buffer.alloc(300_000, 'x');
  channel.sendToQueue(queue, body, { persistent: true });
  await channel.waitForConfirms();
  const message = await channel.get(queue, { noAck: true });
  expect(message !== false && message.content.equals(body)).toBe(true);
  const plain = await connect(
    `amqp://guest:guest@127.0.0.1:${await portOf(broker, 'listeners.tcp.default')}`,
  );
  expect((await (await plain.createChannel()).checkQueue(queue)).messageCount).toBe(0);
  await plain.close();
  await model.close();
});

test('a client logs in with its certificate alone', async () => {
  const site = makeSite(
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = true',
    'ssl_cert_login_from = common_name',
    'auth_mechanisms.1 = EXTERNAL',
  );
  const broker = await spawn(site).listening();
  const { authority, client } = site.made;
  const trust = { ca: [authority.pem], credentials: credentials.external() };
  await (await secureConnect(broker, { ...trust, cert: client.pem, key: client.keyPem })).close();
  await expect(secureConnect(broker, trust)).rejects.toThrow();
  await eventually(() => broker.said('TLS handshake failed'));
});

test('without listeners.tcp there are ports for TLS only', async () => {
  const site = makeSite('listeners.tcp = none', 'listeners.ssl.second = 127.0.0.1:0');
  const broker = await processes.spawn(['--memory', '--config', site.config]).listening();
  expect(await portOf(broker, 'listeners.ssl.second')).toBeGreaterThan(0);
  const listening = broker.entries.filter((entry) => entry['msg'] === 'listening');
  expect(listening.map((entry) => entry['listener'])).toEqual([
    'listeners.ssl.default',
    'listeners.ssl.second',
  ]);
});

test('SIGHUP has new certificates read, while connections go on', async () => {
  const site = makeSite();
  const broker = await spawn(site).listening();
  const trust = { ca: [site.made.authority.pem] };
  const before = await secureConnect(broker, trust);
  const channel = await before.createChannel();
  const renewed = makeServer(site.made.authority, 'renewed');
  writeServerFiles(join(site.folder, 'tls'), site.made.authority, renewed);
  broker.signal('SIGHUP');
  await eventually(() => broker.said('certificates read again'));
  expect(await certificateName(broker)).toBe('renewed');
  await channel.assertQueue('still here');

  writeFileSync(join(site.folder, 'tls', 'server.key'), site.made.client.keyPem);
  broker.signal('SIGHUP');
  await eventually(() => broker.said('certificates not read again: those before stay in use'));
  expect(await certificateName(broker)).toBe('renewed');
  await channel.checkQueue('still here');
  await before.close();
  expect(await broker.end('SIGTERM')).toMatchObject({ code: 0 });
});

test('SIGHUP does no harm where there is no TLS', async () => {
  const broker = await processes.start(processes.folder());
  broker.signal('SIGHUP');
  await eventually(() => broker.said('reading certificates and config files again'));
  await (await processes.connect(broker)).close();
  expect(await broker.end('SIGTERM')).toMatchObject({ code: 0 });
});

test.each<[string, string, string]>([
  ['is not there', 'ssl_options.certfile = /nowhere/server.pem', 'is not there: correct the path'],
  ['does not fit', 'ssl_options.keyfile = tls/other.key', 'is not that of the certificate'],
  ['is no certificate', 'ssl_options.cacertfile = tls/other.key', 'holds no certificate'],
])('a start with a file that %s fails with one line', async (_what, line, text) => {
  const site = makeSite(line);
  mkdirSync(join(site.folder, 'tls'), { recursive: true });
  writeFileSync(join(site.folder, 'tls', 'other.key'), site.made.client.keyPem);
  const args = ['--memory', '--port', '0', '--config', site.config];
  const broker = processes.spawn(args, {}, site.folder);
  expect(await broker.ended).toEqual({ code: 1, signal: null });
  expect(broker.stderr).toMatch(/^leveret: [^\n]+\n$/);
  expect(broker.stderr).toContain(text);
});

test('a key of rabbitmq.conf that cannot be honoured is refused', async () => {
  const broker = spawn(makeSite('ssl_options.crl_check = true'));
  expect(await broker.ended).toEqual({ code: 1, signal: null });
  expect(broker.stderr).toMatch(/leveret.conf:5: ssl_options.crl_check: revoked certificates are/);
});

test('a certificate that has expired is a warning in the log', async () => {
  const site = makeSite();
  const { authority } = site.made;
  const nowMs = Date.now();
  const old = makeCertificate({ subject: 'old', signedBy: authority, validToMs: nowMs - 1000 });
  writeServerFiles(join(site.folder, 'tls'), authority, old);
  const broker = await spawn(site).listening();
  const warning = broker.entries.find((entry) => String(entry['msg']).includes('has expired'));
  expect(warning).toMatchObject({ level: 'warn' });
});
