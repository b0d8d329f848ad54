// Owns the words in which the broker tells its server what it has to do. Never does anything.

/** What the server is told by the broker. */
export interface BrokerListener {
  /** Something was asked for that the end of this turn has to do. */
  turnWanted(): void;
  /** All batches up to `batch` are durable. */
  durable(batch: number): void;
  /** A vhost or a user, `of`, is deleted: its connections have to end before the call returns. */
  connectionsForced(of: object, reason: string): void;
}
