// Certificates for tests, made and signed here: no tool and no file of the machine is needed. Each
// authority is new, so nothing outside a test trusts what it signs.
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

const OBJECT_IDS: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  DC: '0.9.2342.19200300.100.1.25',
  UID: '0.9.2342.19200300.100.1.1',
  emailAddress: '1.2.840.113549.1.9.1',
};

/** The tags of the kinds of text that a subject may hold. */
const TEXT_TAGS = { utf8: 0x0c, printable: 0x13, teletex: 0x14, ia5: 0x16, bmp: 0x1e };

/** One attribute: its short name or dotted form, its text, and how that is encoded. */
export type Attribute = readonly [type: string, text: string, kind?: keyof typeof TEXT_TAGS];

/** A subject: each part is an attribute, or several that stand side by side. */
export type Subject = readonly (Attribute | readonly Attribute[])[];

export interface CertificateOptions {
  readonly subject: Subject | string;
  readonly signedBy?: Certificate;
  readonly authority?: boolean;
  readonly validFromMs?: number;
  readonly validToMs?: number;
  /** Raw GeneralNames, made by `dnsName` and its like. */
  readonly alternativeNames?: readonly Buffer[];
}

export interface Certificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly subject: Buffer;
}

/** Makes a certificate with a key of its own; one that nobody signs signs itself. */
export function makeCertificate(options: CertificateOptions): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const parts =
    typeof options.subject === 'string' ? [['CN', options.subject] as const] : options.subject;
  const subject = encodeSubject(parts);
  const issuer = options.signedBy;
  const nowMs = Date.now();
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256));
  const basicConstraints = sequence(...(options.authority ? [der(0x01, Buffer.from([0xff]))] : []));
  const extensions = [extension('2.5.29.19', basicConstraints)];
  if (options.alternativeNames !== undefined) {
    extensions.push(extension('2.5.29.17', sequence(...options.alternativeNames)));
  }
  const serial = randomBytes(8);
  serial[0] = 0x55;
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    issuer?.subject ?? subject,
    sequence(
      time(options.validFromMs ?? nowMs - DAY_MS),
      time(options.validToMs ?? nowMs + 30 * DAY_MS),
    ),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', tbs, issuer?.key ?? privateKey);
  const bytes = sequence(tbs, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return {
    der: bytes,
    pem: pemOf(bytes),
    key: privateKey,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    subject,
  };
}

/** The key under a password. */
export function lockedKey(certificate: Certificate, passphrase: string): string {
  const key = createPrivateKey(certificate.keyPem);
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return key.export(options) as string;
}

/** An authority with the certificates of a server and a client, as most tests need them. */
export interface Certificates {
  readonly authority: Certificate;
  readonly server: Certificate;
  readonly client: Certificate;
}

export function makeCertificates(): Certificates {
  const authority = makeCertificate({ subject: 'test authority', authority: true });
  return { authority, server: makeServer(authority), client: makeClient(authority) };
}

export function makeServer(signedBy: Certificate, subject = 'localhost'): Certificate {
  const alternativeNames = [dnsName('localhost'), ipName('127.0.0.1')];
  return makeCertificate({ subject, signedBy, alternativeNames });
}

export function makeClient(
  signedBy: Certificate,
  subject: Subject | string = 'guest',
): Certificate {
  return makeCertificate({ subject, signedBy });
}

/** Writes `ca.pem`, `server.pem` and `server.key` into a folder; gives the settings that name them. */
export function writeServerFiles(
  folder: string,
  authority: Certificate,
  server: Certificate,
): { sslCacertfile: string; sslCertfile: string; sslKeyfile: string } {
  mkdirSync(folder, { recursive: true });
  const files = {
    sslCacertfile: join(folder, 'ca.pem'),
    sslCertfile: join(folder, 'server.pem'),
    sslKeyfile: join(folder, 'server.key'),
  };
  writeFileSync(files.sslCacertfile, authority.pem);
  writeFileSync(files.sslCertfile, server.pem);
  writeFileSync(files.sslKeyfile, server.keyPem, { mode: 0o600 });
  return files;
}

export const dnsName = (name: string): Buffer => der(0x82, Buffer.from(name));
export const emailName = (name: string): Buffer => der(0x81, Buffer.from(name));
export const uriName = (name: string): Buffer => der(0x86, Buffer.from(name));
export const ipName = (address: string): Buffer =>
  der(0x87, Buffer.from(address.split('.').map(Number)));
export const ip6Name = (octets: Buffer): Buffer => der(0x87, octets);
export const otherName = (type: string, text: string): Buffer =>
  der(0xa0, Buffer.concat([objectId(type), der(0xa0, der(0x0c, Buffer.from(text)))]));

function encodeSubject(parts: Subject): Buffer {
  return sequence(
    ...parts.map((part) => {
      const attributes = typeof part[0] === 'string' ? [part as Attribute] : part;
      return der(0x31, Buffer.concat((attributes as readonly Attribute[]).map(encodeAttribute)));
    }),
  );
}

function encodeAttribute([type, text, kind = 'utf8']: Attribute): Buffer {
  const content =
    kind === 'bmp'
      ? Buffer.from(text, 'utf16le').swap16()
      : Buffer.from(text, kind === 'teletex' ? 'latin1' : 'utf8');
  return sequence(objectId(OBJECT_IDS[type] ?? type), der(TEXT_TAGS[kind], content));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), der(0x04, value));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(0x18, Buffer.from(`${text}Z`));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left % 128) + 128);
    }
    octets.push(...groups);
  }
  return der(0x06, Buffer.from(octets));
}

/** One value of DER. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = [tag];
  if (length < 0x80) head.push(length);
  else if (length < 0x100) head.push(0x81, length);
  else head.push(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.from(head), content]);
}

function pemOf(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
