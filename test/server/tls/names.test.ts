import { expect, test } from 'vitest';
import {
  alternativeNames,
  commonName,
  distinguishedName,
  userOfCertificate,
} from '../../../src/server/tls/names.ts';
import {
  dnsName,
  emailName,
  ip6Name,
  ipName,
  makeCertificate,
  otherName,
  type Subject,
  uriName,
} from '../../support/certificates.ts';

const USER_PRINCIPAL = '1.3.6.1.4.1.311.20.2.3';

function der(subject: Subject | string, names?: Buffer[]): Buffer {
  return makeCertificate({ subject, ...(names === undefined ? {} : { alternativeNames: names }) })
    .der;
}

// What stands here was printed by RabbitMQ 3.10.8 for the same certificates.
test.each<[string, Subject, string]>([
  [
    'parts in reverse order',
    [
      ['C', 'DE'],
      ['O', 'Hares'],
      ['CN', 'client'],
    ],
    'CN=client,O=Hares,C=DE',
  ],
  [
    'special characters',
    [
      ['O', 'a, b+"c"'],
      ['CN', ' #é\u0001 '],
    ],
    'CN=\\ #\\C3\\A9\\01\\ ,O=a\\, b\\+\\"c\\"',
  ],
  [
    'parts of several attributes',
    [
      [
        ['OU', 'x'],
        ['CN', 'y'],
      ],
      ['DC', 'org', 'ia5'],
    ],
    'DC=org,OU=x+CN=y',
  ],
  [
    'an attribute without a short name',
    [
      ['1.2.3.4', 'odd'],
      ['UID', 'u1'],
    ],
    'UID=u1,1.2.3.4=odd',
  ],
  [
    'text of other kinds',
    [
      ['CN', 'zé', 'bmp'],
      ['O', 'é', 'teletex'],
      ['emailAddress', 'a@b', 'ia5'],
    ],
    'EMAILADDRESS=a@b,O=\\C3\\A9,CN=z\\C3\\A9',
  ],
])('a distinguished name is written as RabbitMQ writes it: %s', (_what, subject, name) => {
  expect(distinguishedName(der(subject))).toBe(name);
});

test('common names are joined and not escaped', () => {
  expect(commonName(der('guest'))).toBe('guest');
  expect(
    commonName(
      der([
        ['CN', 'a,b'],
        ['O', 'x'],
        ['CN', 'é'],
      ]),
    ),
  ).toBe('a,b,é');
  expect(commonName(der([['O', 'x']]))).toBeNull();
});

test('alternative names are found by their kind', () => {
  const certificate = der('x', [
    dnsName('a.example'),
    emailName('a@example'),
    uriName('urn:a'),
    ipName('10.0.0.1'),
    ip6Name(Buffer.from('20010db8000000000000000000000001', 'hex')),
    otherName(USER_PRINCIPAL, 'hare@example'),
    dnsName('b.example'),
  ]);
  expect(alternativeNames(certificate, 'dns')).toEqual(['a.example', 'b.example']);
  expect(alternativeNames(certificate, 'email')).toEqual(['a@example']);
  expect(alternativeNames(certificate, 'uri')).toEqual(['urn:a']);
  expect(alternativeNames(certificate, 'ip')).toEqual(['10.0.0.1', '2001:db8:0:0:0:0:0:1']);
  expect(alternativeNames(certificate, 'other_name')).toEqual(['hare@example']);
  expect(alternativeNames(der('x'), 'dns')).toEqual([]);
});

test('the settings choose the name that is the user', () => {
  const certificate = der(
    [
      ['O', 'Hares'],
      ['CN', 'hare'],
    ],
    [dnsName('a'), dnsName('b')],
  );
  const base = { sslCertLoginSanType: 'dns', sslCertLoginSanIndex: 1 } as const;
  const user = (from: 'distinguished_name' | 'common_name' | 'subject_alternative_name') =>
    userOfCertificate(certificate, { ...base, sslCertLoginFrom: from });
  expect(user('distinguished_name')).toBe('CN=hare,O=Hares');
  expect(user('common_name')).toBe('hare');
  expect(user('subject_alternative_name')).toBe('b');
  const beyond = { ...base, sslCertLoginSanIndex: 2 };
  expect(
    userOfCertificate(certificate, { ...beyond, sslCertLoginFrom: 'subject_alternative_name' }),
  ).toBeNull();
});

test('a subject without a part gives no name', () => {
  expect(distinguishedName(der([]))).toBeNull();
});

test('bytes that are cut or changed anywhere give a name or none, and never throw', () => {
  const whole = der([['CN', 'x', 'bmp']], [dnsName('a'), otherName(USER_PRINCIPAL, 'u')]);
  const read = (bytes: Buffer): void => {
    distinguishedName(bytes);
    for (const kind of ['dns', 'ip', 'other_name'] as const) alternativeNames(bytes, kind);
  };
  for (let at = 0; at < whole.length; at++) {
    read(whole.subarray(0, at));
    for (const octet of [0, 0x80, 0x84, 0xff]) {
      const changed = Buffer.from(whole);
      changed[at] = octet;
      read(changed);
    }
  }
});
