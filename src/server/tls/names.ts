// Owns the names in a client's certificate, written as RabbitMQ writes them, of which one is the
// user for mechanism EXTERNAL. Never verifies a certificate: the handshake of TLS has done so.

import { type DerValue, derChildren, derContent, derObjectId, derValueAt } from './der.ts';

/** Which name of a certificate is the user. */
export interface CertificateLogin {
  readonly sslCertLoginFrom: 'distinguished_name' | 'common_name' | 'subject_alternative_name';
  readonly sslCertLoginSanType: keyof typeof SAN_TAGS;
  readonly sslCertLoginSanIndex: number;
}

/** The tags of a GeneralName (RFC 5280 §4.2.1.6), those of a constructed one included. */
const SAN_TAGS = { other_name: 0xa0, email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

const SEQUENCE = 0x30;
const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
const UTF8_STRING = 0x0c;
const PRINTABLE_STRING = 0x13;
const TELETEX_STRING = 0x14;
const IA5_STRING = 0x16;
const UNIVERSAL_STRING = 0x1c;
const BMP_STRING = 0x1e;

const COMMON_NAME = '2.5.4.3';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';

/** The short names of attributes; any other is written in dotted form (RFC 4514 §2.3). */
const ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  [COMMON_NAME, 'CN'],
  ['2.5.4.4', 'SN'],
  ['2.5.4.5', 'SERIALNUMBER'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.12', 'TITLE'],
  ['2.5.4.42', 'GIVENNAME'],
  ['2.5.4.43', 'INITIALS'],
  ['2.5.4.44', 'GENERATIONQUALIFIER'],
  ['2.5.4.65', 'PSEUDONYM'],
  ['1.2.840.113549.1.9.1', 'EMAILADDRESS'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
]);

/** One attribute of a subject. */
interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** The name of the user that a certificate (DER) stands for, or null when it has no such name. */
export function userOfCertificate(certificate: Buffer, login: CertificateLogin): string | null {
  switch (login.sslCertLoginFrom) {
    case 'distinguished_name':
      return distinguishedName(certificate);
    case 'common_name':
      return commonName(certificate);
    case 'subject_alternative_name': {
      const names = alternativeNames(certificate, login.sslCertLoginSanType);
      return names[login.sslCertLoginSanIndex] ?? null;
    }
  }
}

/** The whole subject as in RFC 4514: the last part first, special characters escaped. */
export function distinguishedName(certificate: Buffer): string | null {
  const parts = subjectOf(certificate).map((part) =>
    part.map(({ type, value }) => `${ATTRIBUTES.get(type) ?? type}=${escaped(value)}`).join('+'),
  );
  return parts.length === 0 ? null : parts.reverse().join(',');
}

/** The common names, with commas between them where there are several. */
export function commonName(certificate: Buffer): string | null {
  const all = subjectOf(certificate).flat();
  const names = all.filter(({ type }) => type === COMMON_NAME).map(({ value }) => value);
  return names.length === 0 ? null : names.join(',');
}

/** The subject alternative names of one kind. */
export function alternativeNames(certificate: Buffer, kind: keyof typeof SAN_TAGS): string[] {
  const extensions = tbsFields(certificate).find(({ tag }) => tag === EXPLICIT_3);
  const list = extensions === undefined ? undefined : derChildren(extensions)[0];
  for (const extension of list === undefined ? [] : derChildren(list)) {
    const [id, ...rest] = derChildren(extension);
    const value = rest.at(-1);
    if (id === undefined || value === undefined) continue;
    if (derObjectId(id) !== SUBJECT_ALTERNATIVE_NAME) continue;
    const names = derValueAt(value.bytes, value.start, value.end);
    const ofKind = (names === null ? [] : derChildren(names)).filter(
      ({ tag }) => tag === SAN_TAGS[kind],
    );
    return ofKind.map((name) => alternativeName(name, kind));
  }
  return [];
}

function alternativeName(name: DerValue, kind: keyof typeof SAN_TAGS): string {
  const content = derContent(name);
  if (kind === 'ip') return content.length === 4 ? content.join('.') : ipv6(content);
  if (kind !== 'other_name') return content.toString('latin1');
  // An OtherName is a type and a value of any kind; only text can be the name of a user.
  const value = derChildren(name)[1];
  const inner = value === undefined ? undefined : derChildren(value)[0];
  return inner === undefined ? '' : textOf(inner);
}

function ipv6(octets: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at + 2 <= octets.length; at += 2) {
    groups.push(octets.readUInt16BE(at).toString(16));
  }
  return groups.join(':');
}

/** The parts of the subject in their order, each of one attribute or more. */
function subjectOf(certificate: Buffer): Attribute[][] {
  const fields = tbsFields(certificate);
  // Version (if it is there), serial number, signature, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === EXPLICIT_0 ? 5 : 4];
  if (subject?.tag !== SEQUENCE) return [];
  return derChildren(subject).map((part) =>
    derChildren(part).flatMap((attribute) => {
      const [type, value] = derChildren(attribute);
      if (type === undefined || value === undefined) return [];
      return [{ type: derObjectId(type), value: textOf(value) }];
    }),
  );
}

/** The fields of what is signed (RFC 5280 §4.1). */
function tbsFields(certificate: Buffer): DerValue[] {
  const whole = derValueAt(certificate, 0, certificate.length);
  const tbs = whole === null ? undefined : derChildren(whole)[0];
  return tbs === undefined ? [] : derChildren(tbs);
}

function textOf(value: DerValue): string {
  const content = derContent(value);
  switch (value.tag) {
    case UTF8_STRING:
    case PRINTABLE_STRING:
    case IA5_STRING:
      return content.toString('utf8');
    case TELETEX_STRING:
      return content.toString('latin1');
    case BMP_STRING:
      return codePoints(content, 2);
    case UNIVERSAL_STRING:
      return codePoints(content, 4);
    default:
      return `#${content.toString('hex')}`;
  }
}

/** Text in which each character takes so many octets; what is no character becomes U+FFFD. */
function codePoints(content: Buffer, width: number): string {
  let text = '';
  for (let at = 0; at + width <= content.length; at += width) {
    const point = content.readUIntBE(at, width);
    text += String.fromCodePoint(point > 0x10ffff ? 0xfffd : point);
  }
  return text;
}

/** Escapes as RFC 4514 §2.4 has it, and beyond it each octet of UTF-8 that is not printable ASCII. */
function escaped(text: string): string {
  const octets = Buffer.from(text);
  let result = '';
  for (const [at, octet] of octets.entries()) {
    const char = String.fromCharCode(octet);
    const atStart = at === 0 && (char === ' ' || char === '#');
    const atEnd = at === octets.length - 1 && char === ' ';
    if (atStart || atEnd || '"+,;<>\\'.includes(char)) result += `\\${char}`;
    else if (octet < 32 || octet >= 126) {
      result += `\\${octet.toString(16).toUpperCase().padStart(2, '0')}`;
    } else result += char;
  }
  return result;
}
