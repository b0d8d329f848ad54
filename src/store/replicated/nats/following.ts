// Owns reading a stream on and on, without a gap, at the pace of its reader. Never knows what a record holds.

import { randomBytes } from 'node:crypto';
import { jsonText } from '../../../util/json/json-writer.ts';
import { PreciseTimer } from '../../../util/timers.ts';
import { StoreError } from '../../errors.ts';
import { type Following, type LogEntry, type LogReader, UnansweredError } from '../log-client.ts';
import { NatsError } from './answers.ts';
import { type Incoming, type NatsWay, pause, type Subscribed } from './way.ts';

/** What one pull asks for: memory holds that much, and `LOW_BYTES`. */
const PULL_BYTES = 16 * 2 ** 20;
const PULL_RECORDS = 8192;
const PULL_MS = 10_000;
/** The next pull goes out once no more than this waits for the reader. */
const LOW_BYTES = 4 * 2 ** 20;
/** A pull that brings nothing shows that it is there so often; where it does not for two of them, it is made anew. */
const HEARTBEAT_MS = 1000;
const SILENT_MS = 2 * HEARTBEAT_MS;
/** The servers drop a consumer that is not asked for so long. */
const INACTIVE_MS = 30_000;
const AGAIN_MS = 200;
const NS_PER_MS = 1_000_000;

/** Where a log begins: the place of its first record. */
export type First = () => Promise<number>;

/** Follows a stream until it is stopped, or the stream begins behind what is to be read. */
export class NatsFollowing implements Following {
  private readonly way: NatsWay;
  private readonly stream: string;
  private readonly first: First;
  private readonly reader: LogReader;
  /** The place of the record that the reader is given next. */
  private next: number;
  private pull: Pull | null = null;
  /** Until the reader has taken what it was given last. */
  private handing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(way: NatsWay, stream: string, first: First, from: number, reader: LogReader) {
    this.way = way;
    this.stream = stream;
    this.first = first;
    this.next = from;
    this.reader = reader;
    void this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.pull?.end();
    await this.handing;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const pull = await this.begin();
      if (pull !== null) await this.read(pull);
      if (!this.stopped) await pause(AGAIN_MS);
    }
  }

  /** Begins to pull; null: it could not, or the reader was told that the stream begins behind what is to be read. */
  private async begin(): Promise<Pull | null> {
    const { way, stream, next } = this;
    try {
      const first = await this.first();
      if (this.stopped) return null;
      if (first > next) {
        this.stopped = true;
        this.reader.behind(first);
        return null;
      }
      return new Pull(way, stream, await makeConsumer(way, stream, next), next);
    } catch (error) {
      // The stream may have no leader, or its servers may be away.
      const mayPass = error instanceof UnansweredError || error instanceof NatsError;
      if (mayPass || error instanceof StoreError) return null;
      throw error;
    }
  }

  /** Hands on what is pulled until that ends. */
  private async read(pull: Pull): Promise<void> {
    this.pull = pull;
    for (;;) {
      const entries = this.stopped ? null : await pull.take();
      if (entries === null || this.stopped) break;
      this.next += entries.length;
      this.handing = this.reader.entries(entries);
      await this.handing;
    }
    this.pull = null;
    pull.end();
  }
}

const ignore = (): void => {};

/** Makes a consumer that begins at a place; returns its name. No server keeps it on a disk. */
async function makeConsumer(way: NatsWay, stream: string, from: number): Promise<string> {
  const name = randomBytes(12).toString('hex');
  const config = {
    name,
    deliver_policy: 'by_start_sequence',
    opt_start_seq: from,
    ack_policy: 'none',
    replay_policy: 'instant',
    max_deliver: -1,
    inactive_threshold: INACTIVE_MS * NS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
  };
  const body = jsonText({ stream_name: stream, config, action: 'create' });
  await way.call(`CONSUMER.CREATE.${stream}.${name}`, body);
  return name;
}

/** What one consumer brings, gathered until it is taken. */
class Pull {
  private readonly way: NatsWay;
  /** The consumer in subjects of the API. */
  private readonly path: string;
  private readonly inbox: string;
  private readonly subscribed: Subscribed;
  /** Runs while a pull is out; `heard` says whether anything has come since it was set. */
  private readonly silence = new PreciseTimer(() => this.onTime());
  private heard = false;
  private readonly cut = (): void => this.end();
  /** The place of the record that has to come next. */
  private next: number;
  /** How many records the pull may bring still; 0: there is none. */
  private left = 0;
  private gathered: LogEntry[] = [];
  private gatheredBytes = 0;
  private ended = false;
  private wake: (() => void) | null = null;

  constructor(way: NatsWay, stream: string, consumer: string, from: number) {
    this.way = way;
    this.next = from;
    this.path = `${stream}.${consumer}`;
    this.inbox = way.newInbox();
    this.subscribed = way.subscribe(this.inbox, (message) => this.onMessage(message));
    way.cuts.add(this.cut);
    this.ask();
  }

  /** What has come since the last time, once something has; null: it has ended. One call at a time. */
  async take(): Promise<readonly LogEntry[] | null> {
    while (this.gathered.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (this.gathered.length === 0) return null;
    const entries = this.gathered;
    this.gathered = [];
    this.gatheredBytes = 0;
    this.ask();
    return entries;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.silence.clear();
    this.way.cuts.delete(this.cut);
    this.subscribed.end();
    // It would go by itself, a while later.
    this.way.call(`CONSUMER.DELETE.${this.path}`, '').catch(ignore);
    this.goOn();
  }

  /** Asks for more, where nothing is asked for and little waits. */
  private ask(): void {
    if (this.ended || this.left > 0 || this.gatheredBytes > LOW_BYTES) return;
    this.left = PULL_RECORDS;
    const pull = {
      batch: PULL_RECORDS,
      max_bytes: PULL_BYTES,
      expires: PULL_MS * NS_PER_MS,
      idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
    };
    this.heard = false;
    this.silence.set(SILENT_MS);
    this.way.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${this.path}`,
      Buffer.from(jsonText(pull)),
      this.inbox,
    );
  }

  private onMessage(message: Incoming): void {
    if (this.ended) return;
    this.heard = true;
    const status = message.headers?.code ?? 0;
    if (status === 0) this.onRecord(message);
    else if (status !== HEARTBEAT) this.onStatus(status, message.headers?.description ?? '');
  }

  private onTime(): void {
    if (!this.heard) {
      this.end();
      return;
    }
    this.heard = false;
    this.silence.set(SILENT_MS);
  }

  private onRecord({ reply, data }: Incoming): void {
    const seq = sequenceOf(reply ?? '');
    if (seq < this.next) return;
    if (seq > this.next) {
      // Records are missing: either the log begins behind them, or this consumer has lost its place.
      this.end();
      return;
    }
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    this.gathered.push({ seq, bytes });
    this.gatheredBytes += bytes.length;
    this.next += 1;
    this.left -= 1;
    if (this.left === 0) this.pullEnded();
    this.goOn();
  }

  private onStatus(status: number, description: string): void {
    const isOver = status === EXPIRED || status === NOTHING || IS_OVER.test(description);
    if (isOver) this.pullEnded();
    else this.end();
  }

  private pullEnded(): void {
    this.left = 0;
    this.silence.clear();
    this.ask();
  }

  private goOn(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
  }
}

/** What comes in place of a record. */
const HEARTBEAT = 100;
const EXPIRED = 408;
const NOTHING = 404;
/** Ends of a pull that say nothing against the consumer. */
const IS_OVER = /batch completed|message size exceeds maxbytes/i;

/**
 * The sequence of a record in its stream, of the subject by which it would be acknowledged; 0: it is none. There are
 * two forms: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>...`, and one with a domain and an account before the stream.
 */
function sequenceOf(reply: string): number {
  const parts = reply.split('.');
  if (parts[0] !== '$JS' || parts[1] !== 'ACK') return 0;
  const at = parts.length === OLD_PARTS ? 5 : 7;
  const seq = Number(parts[at]);
  return Number.isSafeInteger(seq) ? seq : 0;
}

const OLD_PARTS = 9;
