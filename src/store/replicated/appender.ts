// Owns getting the records of a leader into the log, each once and in order, whatever the way there does to them. Never
// knows what they hold.

import { Chain, type Place } from './chain.ts';
import { DeposedError, type LogClient, RefusedError, UnansweredError } from './log-client.ts';
import {
  BEAT,
  beatBody,
  digestWith,
  LEAD,
  type Lead,
  type LogRecord,
  leadBody,
  readLead,
  readRecord,
  recordHead,
} from './record.ts';

/** One record to append. A BEAT has no parts: its body is made as it gets its number. */
export interface Draft {
  readonly kind: number;
  readonly parts: readonly Buffer[];
}

/** A record with its number, until it is known to count. */
interface Numbered {
  readonly number: number;
  /** Of all that count with it. */
  readonly digest: number;
  readonly bytes: readonly Buffer[];
}

/** Bytes that are under way at most; a record that is longer goes alone. */
const WINDOW_BYTES = 16 * 2 ** 20;
const WINDOW_RECORDS = 16;

/** How long it waits before it tries again, ms: the servers of the log may be choosing a leader of their own. */
const AGAIN_MS = 100;

/** What the appender tells of itself. */
export interface AppenderCounts {
  /** How often it had to read the log to know what had become of its records. */
  resyncs: number;
}

/**
 * Appends for the leader of one epoch.
 *
 * Where a call is refused or not answered, it sends nothing, reads what the log has behind the last record that is known to
 * count, and sends the others again with the numbers they have: where a late copy of one comes to lie in the log too, it is
 * the same record, and does not count twice. It goes on until all is there, or the log says that another node leads.
 */
export class Appender {
  readonly counts: AppenderCounts = { resyncs: 0 };
  private readonly client: LogClient;
  /** Resolves after so many ms. */
  readonly pause: (ms: number) => Promise<void>;
  private readonly chainFrom: (place: Place) => Chain;
  /** The place of the last record known to count. */
  private at: Place;
  /** The place of the last record of the log as far as it is known: behind `at` may lie what does not count. */
  private end: number;
  private stopped = false;

  /** `at`: the LEAD of this node, which counts. `pause` resolves after so many ms. `chainFrom`: for tests. */
  constructor(
    client: LogClient,
    at: Place,
    pause: (ms: number) => Promise<void>,
    chainFrom = (place: Place): Chain => new Chain(place),
  ) {
    this.client = client;
    this.at = at;
    this.end = at.seq;
    this.pause = pause;
    this.chainFrom = chainFrom;
  }

  get place(): Place {
    return this.at;
  }

  /** Has a call that is under way reject with a DeposedError, once its tries have ended. */
  stop(): void {
    this.stopped = true;
  }

  /**
   * Appends records behind one another; resolves once all count. One call at a time. Rejects with a DeposedError where
   * another node leads, or this was stopped, or with what else keeps the log from taking them; then some of them may count,
   * and it appends nothing any more: their numbers must not be given to others.
   */
  async append(drafts: readonly Draft[]): Promise<void> {
    try {
      await this.appendAll(this.numbered(drafts));
    } catch (error) {
      this.stopped = true;
      throw error;
    }
  }

  private async appendAll(waiting: Numbered[]): Promise<void> {
    let fails = 0;
    while (waiting.length > 0) {
      this.mustLead();
      const sent = windowOf(waiting);
      if (await this.send(sent)) {
        waiting.splice(0, sent.length);
        fails = 0;
        continue;
      }
      // A log that refuses again what it has just been asked for is behind what it says of itself.
      if (fails > 0) await this.pause(AGAIN_MS);
      fails += 1;
      await this.resync(waiting);
    }
  }

  private numbered(drafts: readonly Draft[]): Numbered[] {
    const { epoch } = this.at;
    let { number, digest } = this.at;
    return drafts.map(({ kind, parts }) => {
      number += 1;
      const body = kind === BEAT ? [beatBody(digest)] : parts;
      const head = recordHead(kind, epoch, number, body);
      digest = digestWith(digest, head);
      return { number, digest, bytes: [head, ...body] };
    });
  }

  /** Sends records all at once; whether they all count now. */
  private async send(records: readonly Numbered[]): Promise<boolean> {
    const { client, end } = this;
    const sent = records.map(({ bytes }, i) => client.append(bytes, end + i));
    const results = await Promise.allSettled(sent);
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') {
        if (isOfTheWay(result.reason)) return false;
        throw result.reason;
      }
      // A log that took it elsewhere has something before it that this node does not know.
      if (result.value !== end + 1 + i) return false;
    }
    this.end = end + records.length;
    const { number, digest } = records[records.length - 1] as Numbered;
    this.at = { ...this.at, seq: this.end, number, digest };
    return true;
  }

  /** Reads what the log has behind the last record known to count; drops of `waiting` what counts. */
  private async resync(waiting: Numbered[]): Promise<void> {
    this.counts.resyncs += 1;
    for (;;) {
      this.mustLead();
      try {
        await this.readOn(waiting);
        return;
      } catch (error) {
        if (!isOfTheWay(error)) throw error;
        await this.pause(AGAIN_MS);
      }
    }
  }

  private async readOn(waiting: Numbered[]): Promise<void> {
    const { client } = this;
    const { first, last } = await client.state();
    if (first > this.at.seq + 1) {
      throw new DeposedError(`the log begins at record ${first}, behind what this node knows`);
    }
    const chain = this.chainFrom(this.at);
    for (let seq = this.at.seq + 1; seq <= last; seq += 1) {
      const bytes = await client.read(seq);
      if (bytes === null) throw new UnansweredError(`record ${seq} of the log cannot be read yet`);
      const step = chain.read(seq, bytes);
      if (step.is === 'damaged') throw new DeposedError(step.why);
      if (step.is === 'ignored') continue;
      if (step.record.kind === LEAD) throw new DeposedError(deposedBy(step.record, seq));
      if (waiting[0]?.digest !== chain.place.digest) {
        throw new DeposedError(`record ${seq} of the log counts, and was not sent by this node`);
      }
      waiting.shift();
      this.at = chain.place;
    }
    // What a machine of the log says may be older than what another one has said.
    this.end = Math.max(last, this.at.seq);
  }

  private mustLead(): void {
    if (this.stopped) throw new DeposedError('this node leads no longer');
  }
}

/** Whether an error says only that the way to the log is not as it should be: then it is tried again. */
function isOfTheWay(error: unknown): boolean {
  return error instanceof RefusedError || error instanceof UnansweredError;
}

/** As many records as may be under way at once. */
function windowOf(records: readonly Numbered[]): readonly Numbered[] {
  let bytes = 0;
  let count = 0;
  for (const record of records) {
    for (const part of record.bytes) bytes += part.length;
    if (count === WINDOW_RECORDS || (count > 0 && bytes > WINDOW_BYTES)) break;
    count += 1;
  }
  return records.slice(0, count);
}

function deposedBy({ body }: LogRecord, seq: number): string {
  const lead = readLead(body);
  return `${lead === null ? 'another node' : lead.node} leads since record ${seq} of the log`;
}

/** What became of a try to lead. */
export type LeadResult =
  /** It leads: the place of its LEAD. */
  | { readonly is: 'leads'; readonly place: Place }
  /** The log goes on behind what it has read: it has to read on first. */
  | { readonly is: 'behind' };

/**
 * Tries to begin an epoch right behind `at`, all up to which the caller has applied. The nonce of `claim`, a new one for each
 * try, is that by which it knows its record again. Rejects with an UnansweredError where the log does not say what has
 * become of it.
 */
export async function tryToLead(
  client: LogClient,
  at: Place,
  claim: Omit<Lead, 'previous' | 'digest'>,
): Promise<LeadResult> {
  const previous = at.seq;
  const body = leadBody({ previous, digest: at.digest, ...claim });
  const head = recordHead(LEAD, 0, 0, [body]);
  const bytes = [head, body];
  const seq = previous + 1;
  const place = { seq, epoch: seq, number: 0, digest: digestWith(at.digest, head) };
  try {
    const acked = await client.append(bytes, previous);
    // A record that lies elsewhere than it says counts nowhere.
    return acked === seq ? { is: 'leads', place } : { is: 'behind' };
  } catch (error) {
    if (error instanceof RefusedError) return { is: 'behind' };
    if (!(error instanceof UnansweredError)) throw error;
  }
  const there = await client.read(seq);
  if (there === null) throw new UnansweredError('the log has not said whether this node leads');
  const record = readRecord(there);
  const isOurs = record !== null && record.kind === LEAD && record.body.equals(body);
  return isOurs ? { is: 'leads', place } : { is: 'behind' };
}
