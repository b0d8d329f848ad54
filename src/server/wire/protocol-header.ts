// Owns the judgement of the first octets that a client sends. Never answers them: connection.ts does.

import { PROTOCOL_HEADER } from '../../amqp/constants.ts';

/** The first octet of a client that begins with TLS: the type of its record (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16;

/** Why `seen` is not the protocol header or the start of it (§4.2.2); null when it is. */
export function foreignSpeech(seen: Buffer): string | null {
  const head = seen.subarray(0, PROTOCOL_HEADER.length);
  if (head.equals(PROTOCOL_HEADER.subarray(0, head.length))) return null;
  if (head[0] !== TLS_HANDSHAKE) return 'it does not speak AMQP 0-9-1';
  return 'it speaks TLS, for which it has to use a port of listeners.ssl';
}
