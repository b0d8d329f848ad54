// Owns how much memory connections take for what they began and have not ended: contents that are half
// there, and publishes that wait for a commit. Never frees it: it says which connection has to end.

import { AmqpError } from '../../amqp/errors.ts';

/** What all connections together hold. */
export class AllUnfinishedBytes {
  /** Counts the rounds of unfinished-watch.ts. */
  round = 0;
  transactionBytes = 0;
  private readonly tally: { receivingBytes: number };
  private readonly transactionBytesMax: number;
  private readonly relieve: () => void;

  /**
   * `tally` counts all bytes. `relieve` is called when transactions together hold more than
   * `transactionBytesMax`.
   */
  constructor(
    tally: { receivingBytes: number },
    transactionBytesMax = Number.POSITIVE_INFINITY,
    relieve: () => void = () => {},
  ) {
    this.tally = tally;
    this.transactionBytesMax = transactionBytesMax;
    this.relieve = relieve;
  }

  /** Counts so many bytes more, or less. */
  add(bytes: number): void {
    this.tally.receivingBytes += bytes;
  }

  /** Counts bytes of publishes that wait for a commit. */
  addTransaction(bytes: number): void {
    this.tally.receivingBytes += bytes;
    this.transactionBytes += bytes;
    if (bytes > 0 && this.transactionBytes > this.transactionBytesMax) this.relieve();
  }
}

/** What one connection holds, over all its channels. */
export class UnfinishedBytes {
  readonly all: AllUnfinishedBytes;
  bytes = 0;
  transactionBytes = 0;
  /** How many of its contents are under way. */
  contents = 0;
  private readonly bytesMax: number;

  /** The connection may hold `bytesMax` bytes. */
  constructor(all: AllUnfinishedBytes, bytesMax = Number.POSITIVE_INFINITY) {
    this.all = all;
    this.bytesMax = bytesMax;
  }

  /** Counts memory of a content under way. Throws RESOURCE_ERROR when the connection holds too much. */
  takeContent(bytes: number): void {
    this.bytes += bytes;
    this.all.add(bytes);
    if (this.bytes > this.bytesMax) throw this.tooMuch();
  }

  giveContent(bytes: number): void {
    this.bytes -= bytes;
    this.all.add(-bytes);
  }

  /** Counts memory of a publish that waits for a commit. Throws as `takeContent` does. */
  takeTransaction(bytes: number): void {
    this.bytes += bytes;
    this.transactionBytes += bytes;
    this.all.addTransaction(bytes);
    if (this.bytes > this.bytesMax) throw this.tooMuch();
  }

  giveTransaction(bytes: number): void {
    this.bytes -= bytes;
    this.transactionBytes -= bytes;
    this.all.addTransaction(-bytes);
  }

  private tooMuch(): AmqpError {
    const held = `${this.bytes} bytes of messages that are not complete or not committed`;
    return new AmqpError(
      'RESOURCE_ERROR',
      `the connection holds ${held}, more than unfinished_max_per_connection (${this.bytesMax})`,
    );
  }
}
