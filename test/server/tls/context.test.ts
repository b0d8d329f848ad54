import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultSettings } from '../../../src/config/settings.ts';
import {
  readTlsContext,
  type TlsContext,
  type TlsSettings,
} from '../../../src/server/tls/context.ts';
import {
  type Certificates,
  lockedKey,
  makeCertificate,
  makeCertificates,
  writeServerFiles,
} from '../../support/certificates.ts';

const DAY_MS = 86_400_000;

let folder: string;
let made: Certificates;
let files: { sslCacertfile: string; sslCertfile: string; sslKeyfile: string };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-tls-'));
  made = makeCertificates();
  files = writeServerFiles(folder, made.authority, made.server);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(settings: Partial<TlsSettings>): TlsContext {
  return readTlsContext({ ...defaultSettings(), ...files, ...settings }, Date.now());
}

function failure(settings: Partial<TlsSettings>): string {
  try {
    read(settings);
  } catch (error) {
    expect(error).toMatchObject({ name: 'TlsError', hint: expect.any(String) });
    return (error as Error).message;
  }
  throw new Error('nothing was found wrong');
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function words(...list: string[]): Map<string, string> {
  return new Map(list.map((word, at) => [String(at + 1), word]));
}

test('right files give a context without warnings', () => {
  const { certificate, warnings, options } = read({});
  expect(certificate.subject).toBe('CN=localhost');
  expect(warnings).toEqual([]);
  expect(options).toMatchObject({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' });
});

test('the key may stand in the file of the certificate, and have a password', () => {
  const both = file('both.pem', made.server.pem + made.server.keyPem);
  expect(read({ sslCertfile: both, sslKeyfile: null }).warnings).toEqual([]);
  const locked = file('locked.key', lockedKey(made.server, 'secret'));
  expect(read({ sslKeyfile: locked, sslPassword: 'secret' }).warnings).toEqual([]);
});

test('settings that lack a file say which', () => {
  expect(failure({ sslCertfile: null })).toContain('ssl_options.certfile');
  expect(failure({ sslVerify: 'verify_peer', sslCacertfile: null })).toContain(
    'with ssl_options.cacertfile',
  );
});

test('a file that is not there or cannot be read is named with its setting', () => {
  for (const [field, key] of [
    ['sslCacertfile', 'ssl_options.cacertfile'],
    ['sslCertfile', 'ssl_options.certfile'],
    ['sslKeyfile', 'ssl_options.keyfile'],
    ['sslDhfile', 'ssl_options.dhfile'],
  ] as const) {
    expect(failure({ [field]: '/nowhere/x.pem' })).toBe(
      `${key} /nowhere/x.pem is not there: correct the path, or make the file`,
    );
    expect(failure({ [field]: folder })).toContain(`${key} ${folder} cannot be read (EISDIR`);
  }
});

test('a file without a certificate, and a damaged certificate, are refused', () => {
  const empty = file('empty.pem', 'nothing\n');
  expect(failure({ sslCertfile: empty })).toContain(`${empty} holds no certificate`);
  expect(failure({ sslCacertfile: empty })).toContain('ssl_options.cacertfile');
  const damaged = file('damaged.pem', made.server.pem.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA'));
  expect(failure({ sslCertfile: damaged })).toContain('is damaged');
});

test('a key of another certificate is refused', () => {
  const other = file('other.key', made.client.keyPem);
  expect(failure({ sslKeyfile: other })).toContain(
    `the private key in ${other} is not that of the certificate in ${files.sslCertfile}`,
  );
});

test('a key that cannot be read says whether it wants a password', () => {
  const locked = file('locked.key', lockedKey(made.server, 'secret'));
  for (const sslPassword of [null, 'wrong']) {
    const text = failure({ sslKeyfile: locked, sslPassword });
    expect(text).toContain('set its password with ssl_options.password');
    expect(text).not.toContain('wrong');
    expect(text).not.toContain('\n');
  }
  expect(failure({ sslKeyfile: files.sslCertfile })).toContain('holds no private key');
});

test('a certificate that has expired, or is not valid yet, is a warning', () => {
  const nowMs = Date.now();
  const signedBy = made.authority;
  const old = makeCertificate({ subject: 'old', signedBy, validToMs: nowMs - DAY_MS / 2 });
  const young = makeCertificate({ subject: 'young', signedBy, validFromMs: nowMs + DAY_MS });
  for (const [certificate, text] of [
    [old, 'the certificate of CN=old in'],
    [young, 'is not valid before'],
  ] as const) {
    const sslCertfile = file('dated.pem', certificate.pem);
    const sslKeyfile = file('dated.key', certificate.keyPem);
    expect(read({ sslCertfile, sslKeyfile }).warnings).toEqual([expect.stringContaining(text)]);
  }
});

test('one version alone can be chosen', () => {
  const only = (version: 'tlsv1.2' | 'tlsv1.3') =>
    read({ sslVersions: new Map([['1', version]]) }).options;
  expect(only('tlsv1.2')).toMatchObject({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
  expect(only('tlsv1.3')).toMatchObject({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' });
});

test('ciphers that are unknown, or for no version, are refused; versions without one are named', () => {
  expect(failure({ sslCiphers: words('ECDHE-RSA-AES256-GCM-SHA385') })).toContain(
    "'ECDHE-RSA-AES256-GCM-SHA385', which is no cipher suite here",
  );
  const sslVersions = new Map([['1', 'tlsv1.3' as const]]);
  const sslCiphers = words('ECDHE-ECDSA-AES256-GCM-SHA384');
  expect(failure({ sslVersions, sslCiphers })).toContain('is for tlsv1.3');
  expect(read({ sslCiphers }).warnings).toEqual([expect.stringContaining('tlsv1.3 is not spoken')]);
  const both = words('TLS_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384');
  expect(read({ sslCiphers: both }).warnings).toEqual([]);
});

test('a chain that is out of order, or lacks one in its midst, is told with the file', () => {
  const root = makeCertificate({ subject: 'root', authority: true });
  const outer = makeCertificate({ subject: 'outer', authority: true, signedBy: root });
  const inner = makeCertificate({ subject: 'inner', authority: true, signedBy: outer });
  const leaf = makeCertificate({ subject: 'leaf', signedBy: inner });
  const warningsOf = (...chain: { pem: string }[]): readonly string[] =>
    read({
      sslCertfile: file('chain.pem', chain.map(({ pem }) => pem).join('\n')),
      sslKeyfile: file('leaf.key', leaf.keyPem),
    }).warnings;
  expect(warningsOf(leaf, inner, outer, root)).toEqual([]);
  for (const wrong of [warningsOf(leaf, outer, inner), warningsOf(leaf, outer)]) {
    expect(wrong).toHaveLength(1);
    expect(wrong[0]).toMatch(/chain\.pem is not in order: .* CN=leaf .* CN=inner/);
  }
});

test('a certificate without the intermediate that signed it is told with the file', () => {
  const root = makeCertificate({ subject: 'root', authority: true });
  const middle = makeCertificate({ subject: 'middle', authority: true, signedBy: root });
  const namesake = makeCertificate({ subject: 'middle', authority: true, signedBy: root });
  const leaf = makeCertificate({ subject: 'leaf', signedBy: middle });
  const byRoot = makeCertificate({ subject: 'leaf', signedBy: root });
  type Pem = { pem: string; keyPem: string };
  const warningsOf = (chain: Pem[], authorities: Pem[]): readonly string[] =>
    read({
      sslCertfile: file('alone.pem', chain.map(({ pem }) => pem).join('\n')),
      sslKeyfile: file('alone.key', chain[0]?.keyPem ?? ''),
      sslCacertfile: file('roots.pem', authorities.map(({ pem }) => pem).join('\n')),
    }).warnings;
  for (const authorities of [[root], [root, namesake]]) {
    const told = warningsOf([leaf], authorities);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/alone\.pem .* CN=leaf alone.* CN=middle, .* not in .*roots\.pem/);
  }
  expect(warningsOf([leaf, middle], [root])).toEqual([]);
  expect(warningsOf([leaf], [root, middle])).toEqual([]);
  expect(warningsOf([byRoot], [root])).toEqual([]);
  expect(warningsOf([root], [middle])).toEqual([]);
});
