// Owns what the settings ssl_options.* make of a TLS server: it reads their files and says in one
// line what is wrong with them. Never listens: listener.ts does.

import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, createServer, getCiphers, type SecureContextOptions } from 'node:tls';
import {
  readWholeFile,
  SMALL_FILE_BYTES_MAX,
  UnfitFileError,
} from '../../util/system/whole-file.ts';
import { UserError } from '../../util/user-error.ts';

/** The settings that TLS looks at; see config/tls-settings.ts for their meaning. */
export interface TlsSettings {
  readonly sslCacertfile: string | null;
  readonly sslCertfile: string | null;
  readonly sslKeyfile: string | null;
  readonly sslPassword: string | null;
  readonly sslVerify: 'verify_none' | 'verify_peer';
  readonly sslFailIfNoPeerCert: boolean;
  readonly sslDepth: number;
  readonly sslVersions: ReadonlyMap<string, 'tlsv1.2' | 'tlsv1.3'>;
  readonly sslCiphers: ReadonlyMap<string, string>;
  readonly sslHonorCipherOrder: boolean;
  readonly sslHonorEccOrder: boolean;
  readonly sslDhfile: string | null;
  readonly sslClientRenegotiation: boolean;
  readonly sslReuseSessions: boolean;
  readonly sslHandshakeTimeoutMs: number;
}

/** What messages call the settings that lead to the files. */
export interface TlsNames {
  /** What needs TLS, as in `there is a listener for TLS (listeners.ssl)`. */
  readonly need: string;
  /** What stands before `.certfile`. */
  readonly section: string;
}

const AMQP_NAMES: TlsNames = {
  need: 'there is a listener for TLS (listeners.ssl)',
  section: 'ssl_options',
};

/** Something about the settings or files of TLS keeps it from working; `hint` says how to mend it. */
export class TlsError extends UserError {
  override readonly name = 'TlsError';

  /** The message is one line: what is wrong, then the way out. */
  constructor(what: string, hint: string, options?: ErrorOptions) {
    super(`${what}: ${hint}`, { ...options, hint });
  }
}

/** What a TLS server is made of, or made anew of after the files have changed. */
export interface TlsContext {
  readonly options: SecureContextOptions;
  /** The broker's own certificate. */
  readonly certificate: X509Certificate;
  /** The authorities that may sign the certificates of clients. */
  readonly authorities: readonly X509Certificate[];
  /** What looks like a mistake but keeps nothing from working. */
  readonly warnings: readonly string[];
  /** Makes a TLS server: node:tls takes 8 MB, and is loaded with this file only where it is used. */
  readonly createServer: typeof createServer;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Reads the files and checks that they fit together. Throws a TlsError when they do not. */
export function readTlsContext(
  settings: TlsSettings,
  nowMs: number,
  { need, section }: TlsNames = AMQP_NAMES,
): TlsContext {
  const { sslCertfile, sslCacertfile, sslDhfile, sslVerify } = settings;
  if (sslCertfile === null) {
    throw new TlsError(`${need} and no certificate`, `name its file with ${section}.certfile`);
  }
  if (sslVerify === 'verify_peer' && sslCacertfile === null) {
    throw new TlsError(
      'ssl_options.verify = verify_peer and no certificate authority is given to trust',
      'name the file of the certificates that sign those of clients with ssl_options.cacertfile',
    );
  }
  const cert = readFile(`${section}.certfile`, sslCertfile);
  const certificates = readCertificates(`${section}.certfile`, sslCertfile, cert);
  const certificate = certificates[0] as X509Certificate;
  const warnings = [
    ...datesOf(certificate, sslCertfile, nowMs),
    ...orderOf(certificates, sslCertfile),
    ...versionsLeftOut(settings),
  ];
  let ca: Buffer | undefined;
  let authorities: X509Certificate[] = [];
  if (sslCacertfile !== null) {
    ca = readFile(`${section}.cacertfile`, sslCacertfile);
    authorities = readCertificates(`${section}.cacertfile`, sslCacertfile, ca);
    for (const each of authorities) warnings.push(...datesOf(each, sslCacertfile, nowMs));
    warnings.push(...issuerOf(certificates, sslCertfile, authorities, sslCacertfile));
  }
  const options: SecureContextOptions = {
    cert,
    key: keyFor(certificate, settings, sslCertfile, section),
    ...(ca === undefined ? {} : { ca }),
    ...(sslDhfile === null ? {} : { dhparam: readFile('ssl_options.dhfile', sslDhfile) }),
    ...protocolOf(settings),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TlsError(`TLS cannot be set up (${causeOf(error)})`, 'see the settings ssl_options');
  }
  return { options, certificate, authorities, warnings, createServer };
}

/** The private key, as text that OpenSSL can read without a password. */
function keyFor(
  certificate: X509Certificate,
  settings: TlsSettings,
  certfile: string,
  section: string,
): string {
  const setting = `${section}.${settings.sslKeyfile === null ? 'certfile' : 'keyfile'}`;
  const file = settings.sslKeyfile ?? certfile;
  let key: KeyObject;
  const text = readFile(setting, file);
  try {
    const password = settings.sslPassword;
    key = createPrivateKey({ key: text, ...(password === null ? {} : { passphrase: password }) });
  } catch (error) {
    const encrypted = text.includes('ENCRYPTED');
    throw new TlsError(
      `${setting} ${file} holds no private key that can be read (${causeOf(error)})`,
      encrypted
        ? `set its password with ${section}.password`
        : `name the file of the key (PEM) with ${section}.keyfile`,
    );
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new TlsError(
      `the private key in ${file} is not that of the certificate in ${certfile}`,
      `name the two that belong together with ${section}.certfile and ${section}.keyfile`,
    );
  }
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function readFile(setting: string, file: string): Buffer {
  try {
    return readWholeFile(file, SMALL_FILE_BYTES_MAX);
  } catch (error) {
    if (error instanceof UnfitFileError) {
      throw new TlsError(`${setting} ${file} cannot be read: ${error.message}`, error.hint);
    }
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') {
      throw new TlsError(`${setting} ${file} is not there`, 'correct the path, or make the file');
    }
    throw new TlsError(
      `${setting} ${file} cannot be read (${causeOf(error)})`,
      'give the user of the broker the right to read it',
    );
  }
}

function readCertificates(setting: string, file: string, content: Buffer): X509Certificate[] {
  const blocks = content.toString('latin1').match(CERTIFICATE) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new TlsError(
      `a certificate in ${setting} ${file} is damaged (${causeOf(error)})`,
      'replace it',
    );
  }
  throw new TlsError(`${setting} ${file} holds no certificate`, 'name a file in the PEM format');
}

/** A warning when a certificate is not valid now. */
function datesOf(certificate: X509Certificate, file: string, nowMs: number): string[] {
  const { subject, validFrom, validTo } = certificate;
  const name = `the certificate of ${subject.replaceAll('\n', ', ')} in ${file}`;
  if (Date.parse(validTo) < nowMs) return [`${name} has expired: it was valid until ${validTo}`];
  if (Date.parse(validFrom) > nowMs) return [`${name} is not valid before ${validFrom}`];
  return [];
}

/** A warning when the certificates of a chain do not follow each other: clients then miss one. */
function orderOf(certificates: readonly X509Certificate[], file: string): string[] {
  for (let i = 1; i < certificates.length; i++) {
    const [signed, signer] = [certificates[i - 1], certificates[i]];
    if (signed === undefined || signer === undefined || signed.checkIssued(signer)) continue;
    const [name, issuer] = [signed.subject, signed.issuer].map((each) =>
      each.replaceAll('\n', ', '),
    );
    return [
      `the chain in ${file} is not in order: behind the certificate of ${name} has to come that of ` +
        `${issuer}, which signed it; clients may refuse the chain as it is`,
    ];
  }
  return [];
}

/** A warning when a certificate stands alone and nothing here has signed it: clients then may miss one. */
function issuerOf(
  [leaf, next]: readonly X509Certificate[],
  file: string,
  authorities: readonly X509Certificate[],
  caFile: string,
): string[] {
  if (leaf === undefined || next !== undefined || leaf.checkIssued(leaf)) return [];
  if (authorities.some((each) => leaf.checkIssued(each) && leaf.verify(each.publicKey))) return [];
  const [name, issuer] = [leaf.subject, leaf.issuer].map((each) => each.replaceAll('\n', ', '));
  return [
    `${file} holds the certificate of ${name} alone, and that of ${issuer}, which signed it, is not in ` +
      `${caFile}: put it behind the first in ${file} unless all clients have it`,
  ];
}

/** Versions, ciphers and what clients may do. */
function protocolOf(settings: TlsSettings): SecureContextOptions {
  const spoken = versionsSpoken(settings);
  const ciphers = [...settings.sslCiphers.values()];
  const unknown = ciphers.find((name) => !getCiphers().includes(name.toLowerCase()));
  if (unknown !== undefined) {
    throw new TlsError(
      `ssl_options.ciphers has '${unknown}', which is no cipher suite here`,
      `correct or remove it; 'openssl ciphers -v' lists their names`,
    );
  }
  // Resuming a session would skip the verification of the client's certificate.
  const resumable = settings.sslReuseSessions && settings.sslVerify === 'verify_none';
  return {
    minVersion: spoken.includes('tlsv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: spoken.includes('tlsv1.3') ? 'TLSv1.3' : 'TLSv1.2',
    ...(ciphers.length === 0 ? {} : { ciphers: ciphers.join(':') }),
    honorCipherOrder: settings.sslHonorCipherOrder || settings.sslHonorEccOrder,
    secureOptions:
      (settings.sslClientRenegotiation ? 0 : constants.SSL_OP_NO_RENEGOTIATION) |
      (resumable ? 0 : constants.SSL_OP_NO_TICKET),
  };
}

/** The versions that there is a cipher suite for. Node.js has its own for a version without one. */
function versionsSpoken({ sslCiphers, sslVersions }: TlsSettings): string[] {
  const ciphers = [...sslCiphers.values()];
  const versions = [...sslVersions.values()];
  const isOf13 = (name: string): boolean => /^TLS_/i.test(name);
  const spoken = versions.filter(
    (version) =>
      ciphers.length === 0 || ciphers.some((name) => isOf13(name) === (version === 'tlsv1.3')),
  );
  if (spoken.length > 0) return spoken;
  throw new TlsError(
    `no cipher suite of ssl_options.ciphers is for ${versions.join(' or ')}`,
    'add one that is, or remove the list',
  );
}

/** A warning for each version that no cipher suite of the list is for. */
function versionsLeftOut(settings: TlsSettings): string[] {
  const spoken = versionsSpoken(settings);
  return [...settings.sslVersions.values()]
    .filter((version) => !spoken.includes(version))
    .map((version) => `${version} is not spoken: ssl_options.ciphers has none for it`);
}

function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
