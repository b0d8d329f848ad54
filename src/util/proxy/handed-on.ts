// Owns what is known of clients whose connections another node has handed on: the socket there is that of the node. Never
// finds it out.

import type { ProxiedTls } from './proxy-line.ts';

const known = new WeakMap<object, ProxiedTls | null>();

/** Notes what TLS found out about the client of a socket; null: it came without. */
export function noteTls(socket: object, tls: ProxiedTls | null): void {
  known.set(socket, tls);
}

/** Whether the client of a socket speaks TLS, with the node where it connected. */
export function isSecure(socket: object): boolean {
  return known.has(socket) ? known.get(socket) !== null : 'getCipher' in socket;
}

/** What was noted for a socket; undefined: no other node has handed it on. */
export function notedTls(socket: object): ProxiedTls | null | undefined {
  return known.get(socket);
}
