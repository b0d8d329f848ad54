// Owns at which host an end of a load test is connected, and going on at the next one when that is lost. Never
// publishes or consumes.

import { UserError } from '../util/user-error.ts';
import { type Address, LostConnection, PerfConnection, type Receiver } from './connection.ts';
import type { Tally } from './tally.ts';

/** All hosts are tried at once; where none has answered, after a pause again, which doubles up to this. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 500;
/** When no host has answered for so long, the test fails. */
const GIVE_UP_MS = 60_000;

/** A producer or a consumer, as its link sees it. */
export interface LinkedEnd extends Receiver {
  /** Makes a new connection ready; `again`: it stands for one that was lost, maybe with what was declared. */
  prepare(connection: PerfConnection, again: boolean): Promise<void>;
  /** The connection is lost: what was under way on it has no answer. */
  disconnected(): void;
  /** There is one again, and it is ready. */
  connected(): void;
}

/** The connection of one end. With more than one host, a lost one is made again at the next. */
export class Link {
  /** Null: there is none now. */
  connection: PerfConnection | null = null;
  /** Why there is none, or ''. */
  trouble = '';
  private readonly addresses: readonly Address[];
  private readonly end: LinkedEnd;
  private readonly tally: Tally;
  /** The host that is tried next, or is connected to. */
  private at: number;
  private closed = false;

  /** `first` is the number of the host to begin at, counted from 0 and round the list. */
  constructor(addresses: readonly Address[], first: number, end: LinkedEnd, tally: Tally) {
    this.addresses = addresses;
    this.at = first % addresses.length;
    this.end = end;
    this.tally = tally;
  }

  /**
   * Connects to the first host that takes it.
   *
   * @throws LostConnection when none does, with what the first one said; UserError for what no other host mends
   */
  async open(again = false): Promise<void> {
    let failure: LostConnection | null = null;
    for (let tries = 0; tries < this.addresses.length && !this.closed; tries++) {
      try {
        await this.connect(again);
        return;
      } catch (error) {
        if (!(error instanceof LostConnection)) throw error;
        failure ??= error;
        this.at = (this.at + 1) % this.addresses.length;
      }
    }
    if (failure !== null) throw failure;
  }

  private async connect(again: boolean): Promise<void> {
    const watched = this.addresses.length > 1;
    const address = this.addresses[this.at] as Address;
    const connection = await PerfConnection.open(address, this.end, watched);
    try {
      await this.end.prepare(connection, again);
      // It may have ended with the last answer, in one chunk.
      if (connection.failure !== null) throw connection.failure;
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.connection = connection;
    if (this.closed) await connection.close();
  }

  /** The end says that its connection has failed. */
  failed(error: UserError): void {
    // While one is being made, `open` rejects with the same error.
    if (this.closed || this.connection === null) return;
    this.connection = null;
    if (!(error instanceof LostConnection) || this.addresses.length === 1) {
      this.tally.failed(error);
      return;
    }
    this.trouble = error.message;
    this.tally.lost += 1;
    this.end.disconnected();
    this.at = (this.at + 1) % this.addresses.length;
    void this.reconnect(this.tally.now());
  }

  private async reconnect(lostMs: number): Promise<void> {
    const { tally } = this;
    for (let pauseMs = PAUSE_MS; !this.closed; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      try {
        await this.open(true);
        if (this.closed) return;
        this.trouble = '';
        tally.reconnects += 1;
        tally.outageMaxMs = Math.max(tally.outageMaxMs, tally.now() - lostMs);
        this.end.connected();
        return;
      } catch (error) {
        if (this.closed) return;
        const failure = error instanceof UserError ? error : new UserError(String(error));
        this.trouble = failure.message;
        if (!(error instanceof LostConnection) || tally.now() - lostMs > GIVE_UP_MS) {
          tally.failed(failure);
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.connection?.close();
  }
}
