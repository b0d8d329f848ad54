// Owns what lets a client in at a server of NATS, made by the test: operators with accounts and users in JWTs, and certificates.
// Never starts a server.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import type { Certificate } from './certificates.ts';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const UNBOUND = { subs: -1, data: -1, payload: -1 };
const OF_ACCOUNT = { imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const OF_STREAMS = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** Who signs whom on the servers, and an account that may have streams. */
export class NatsOperator {
  private readonly operator = nkeys.createOperator();
  private readonly account = nkeys.createAccount();
  private readonly system = nkeys.createAccount();

  /** The lines of a server's configuration. */
  get lines(): string {
    const claims = { type: 'operator', version: 2 };
    const limits = { ...UNBOUND, ...OF_ACCOUNT };
    const system = this.accountJwt(this.system, limits);
    const account = this.accountJwt(this.account, { ...limits, ...OF_STREAMS });
    const preload = [
      `${this.account.getPublicKey()}: ${account}`,
      `${this.system.getPublicKey()}: ${system}`,
    ];
    return [
      `operator: ${jwt(this.operator, this.operator, claims)}`,
      `system_account: ${this.system.getPublicKey()}`,
      'resolver: MEMORY',
      `resolver_preload: { ${preload.join(', ')} }`,
    ].join('\n');
  }

  /** The text of a file of credentials for a new user; they end after so many ms, unless that is not given. */
  credentials(endsInMs?: number): string {
    const user = nkeys.createUser();
    const claims = { type: 'user', version: 2, pub: {}, sub: {}, ...UNBOUND };
    const token = jwt(this.account, user, claims, endsInMs);
    const seed = Buffer.from(user.getSeed()).toString('latin1');
    return [
      `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n`,
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    ].join('\n');
  }

  private accountJwt(account: KeyPair, limits: object): string {
    return jwt(this.operator, account, { type: 'account', version: 2, limits });
  }
}

function jwt(issuer: KeyPair, subject: KeyPair, nats: object, endsInMs?: number): string {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    jti: subject.getPublicKey(),
    iat: seconds,
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: subject.getPublicKey(),
    ...(endsInMs === undefined ? {} : { exp: seconds + Math.round(endsInMs / 1000) }),
    nats,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  const signature = issuer.sign(new TextEncoder().encode(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
}

/** An nkey: its public part, and the seed that a file of credentials may have alone. */
export function makeNkey(): { readonly name: string; readonly seed: string } {
  const user = nkeys.createUser();
  return { name: user.getPublicKey(), seed: Buffer.from(user.getSeed()).toString('latin1') };
}

/** The lines of a server that speaks TLS with this certificate; `demands`: clients need one that the authority has signed. */
export function tlsLines(
  folder: string,
  { authority, server }: { readonly authority: Certificate; readonly server: Certificate },
  demands = false,
): string {
  const files = { ca: authority.pem, cert: server.pem, key: server.keyPem };
  for (const [name, pem] of Object.entries(files)) {
    writeFileSync(join(folder, `nats-${name}.pem`), pem, { mode: 0o600 });
  }
  const file = (name: string): string => `"${join(folder, `nats-${name}.pem`)}"`;
  return `tls { ca_file: ${file('ca')}, cert_file: ${file('cert')}, key_file: ${file('key')}, verify: ${demands} }`;
}
