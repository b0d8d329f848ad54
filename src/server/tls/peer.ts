// Owns what a connection knows of the handshake of TLS. Never takes part in it.

/** What the handshake of TLS found out about a peer. */
export interface TlsPeer {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  readonly cipher: string;
  /** The peer's certificate (DER), verified; null when it showed none, or one that is refused. */
  readonly certificate: Buffer | null;
  /** Why the peer may not log in, which it is told in AMQP; null when it may. */
  readonly refusal: string | null;
}
