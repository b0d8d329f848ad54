// Owns counting the certificates between a client's and the root that it was verified against. Never
// verifies: the handshake of TLS has done so.

import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** No chain that OpenSSL verifies is longer. */
const CHAIN_MAX = 100;

/**
 * How many certificates stand between that of the peer and the root; null when that cannot be told.
 * Some releases of Node.js leave out the certificates that the client sent (nodejs/node#65579), so
 * those that are missing are looked for among the authorities.
 */
export function certificatesBetween(
  socket: TLSSocket,
  authorities: readonly X509Certificate[],
): number | null {
  const chain = certificatesOf(socket);
  let last = chain.at(-1);
  while (last !== undefined && !last.checkIssued(last)) {
    const below = last;
    last = authorities.find((each) => below.checkIssued(each) && below.verify(each.publicKey));
    if (last === undefined || chain.length >= CHAIN_MAX) return null;
    chain.push(last);
  }
  return Math.max(0, chain.length - 2);
}

/** The certificate of the peer and those above it, as far as Node.js knows them. */
function certificatesOf(socket: TLSSocket): X509Certificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && next !== chain.at(-1)) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain.map(({ raw }) => new X509Certificate(raw));
}
