// Owns which pages a browser may show that change something here, or speak AMQP: those of this server, and
// those that the operator names. Never knows what a request is about.
//
// A browser sends what a foreign page asks for together with the login that it remembers, and from the
// machine that it runs on. It says so in headers that no page can change: Origin with all that is no GET,
// Sec-Fetch-Site where it can. What is no browser sends neither Origin
// nor Sec-Fetch-Site.
//
// A page whose own name was made to lead here (DNS rebinding) is a page of this server to the browser, and has
// that name in Host. It knows no login but `guest`, which is known to all and may come from this machine alone.
// So names are judged where the peer is this machine; a broker on a network may have any name in the DNS.

import type { IncomingHttpHeaders } from 'node:http';
import { jsonText } from '../../util/json/json-writer.ts';
import { isLoopbackAddress } from '../../util/system/address.ts';
import { HttpError } from '../http-error.ts';

/** What the operator allows beyond this server's own pages. */
export interface AllowedPages {
  /** Names that this server has, such as that of a proxy; `*.example.com` for all below. */
  readonly hosts: readonly string[];
  /** Origins whose pages may do what this server's may, such as `https://tools.example.com`. */
  readonly origins: readonly string[];
  /** The name of this machine. */
  readonly machine: string;
}

/** Endings of names that cannot be registered, so that no foreign page has one. */
const OWN_ENDINGS = ['.localhost', '.local', '.internal', '.home.arpa'];

/**
 * Refuses a change, or an upgrade, by the peer with this address that a page may have asked for which is not
 * ours. Throws with 403.
 */
export function checkPage(headers: IncomingHttpHeaders, peer: string, allowed: AllowedPages): void {
  const host = headers.host ?? '';
  checkHost(host, peer, allowed);
  const { origin } = headers;
  if (origin !== undefined && !isOurs(origin, host, allowed)) {
    throw refused(
      `pages of ${shown(origin)} may not do this: add it to management.http.allowed_origins, if they should`,
    );
  }
  const site = headers['sec-fetch-site'];
  const known = site === undefined || site === 'same-origin' || site === 'none';
  // What comes from another site of the same owner needs to be named like any other.
  if (!known && origin === undefined) throw refused('a page of another site may not do this');
}

/**
 * Refuses to a peer on this machine a name that is not this server's, which a foreign page may have been given.
 * Throws with 403.
 */
export function checkHost(host: string, peer: string, { hosts, machine }: AllowedPages): void {
  if (!isLoopbackAddress(peer)) return;
  const name = nameOf(host);
  if (name !== null && (isOwnName(name, machine) || hosts.some((each) => matches(each, name)))) {
    return;
  }
  throw refused(
    `this server is not known as ${shown(host)}: add the name to management.http.allowed_hosts`,
  );
}

/** How long a browser may go by what it was told of another origin, s, as RabbitMQ has it. */
const CORS_MAX_AGE_S = 1800;

/**
 * The headers that let a browser show an answer to a page of an origin that the operator named, so that it may ask
 * with a login; for any other page none but `vary`.
 */
export function corsHeaders(
  headers: IncomingHttpHeaders,
  { origins }: AllowedPages,
): Readonly<Record<string, string>> {
  const { origin } = headers;
  // Without an origin, too: a cache must not show the answer to a page.
  if (origin === undefined || !isNamed(origin, origins)) return { vary: 'origin' };
  const wanted = headers['access-control-request-headers'];
  const asks = headers['access-control-request-method'] !== undefined;
  return {
    vary: 'origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    ...(asks ? { 'access-control-max-age': String(CORS_MAX_AGE_S) } : {}),
    ...(asks && wanted !== undefined ? { 'access-control-allow-headers': wanted } : {}),
  };
}

/** Refuses a body of a page that is no JSON: forms and plain text are what foreign pages can send. */
export function checkType(headers: IncomingHttpHeaders, takesForms: boolean): void {
  if (headers.origin === undefined && headers['sec-fetch-site'] === undefined) return;
  const isEmpty = headers['transfer-encoding'] === undefined && !Number(headers['content-length']);
  if (isEmpty) return;
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(headers['content-type'] ?? '')?.[0].toLowerCase();
  if (type === 'application/json' || type?.endsWith('+json') === true) return;
  if (takesForms && type === 'multipart/form-data') return;
  throw new HttpError(415, 'bad_request', 'what a page sends must have the type application/json');
}

/** Whether a request was made by a browser, as far as it says so. */
export function isOfBrowser(headers: IncomingHttpHeaders): boolean {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return true;
  return headers['user-agent']?.startsWith('Mozilla/') === true;
}

/** The name or address of a Host header, without its port, in lower case; null: it is none. */
function nameOf(host: string): string | null {
  if (host.length > 300) return null;
  const parts = /^(\[[0-9a-f:.%]+\]|[^[\]:/@\s]+)(?::\d{1,5})?$/i.exec(host);
  return parts === null ? null : (parts[1] as string).toLowerCase().replace(/\.$/, '');
}

function isOwnName(name: string, machine: string): boolean {
  if (name.startsWith('[') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name)) return true;
  // A name without a dot is one of the local network.
  if (!name.includes('.')) return true;
  if (OWN_ENDINGS.some((ending) => name.endsWith(ending))) return true;
  return name === machine.toLowerCase();
}

function matches(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase();
  if (wanted === '*') return true;
  return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
}

/**
 * Whether the operator named an origin. `*` does not name `null`, which is what any sandboxed frame and any file has:
 * that has to be in the list itself.
 */
function isNamed(origin: string, origins: readonly string[]): boolean {
  const given = origin.toLowerCase();
  if (given === 'null') return origins.some((each) => each.toLowerCase() === given);
  return origins.some((each) => each === '*' || each.toLowerCase().replace(/\/$/, '') === given);
}

/** Whether an origin is that of this server, which may stand behind a proxy that speaks TLS, or allowed. */
function isOurs(origin: string, host: string, { origins }: AllowedPages): boolean {
  const given = origin.toLowerCase();
  if (isNamed(origin, origins)) return true;
  const at = /^(https?):\/\/([^/?#@]+)$/.exec(given);
  if (at === null) return false;
  const port = at[1] === 'https' ? /:443$/ : /:80$/;
  const own = host.toLowerCase();
  return at[2] === own || at[2] === own.replace(port, '');
}

/** What a peer sent, for a text that it reads itself. */
const shown = (given: string): string => jsonText(given.slice(0, 200));

const refused = (reason: string): HttpError => new HttpError(403, 'forbidden', reason);
