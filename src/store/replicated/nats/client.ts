// Owns the replicated log on NATS: records are the messages of one stream, the lease is the only message of another. Never
// says what a record means.

import { jsonText } from '../../../util/json/json-writer.ts';
import { StoreError } from '../../errors.ts';
import {
  type Following,
  type LeaseCell,
  type LogClient,
  type LogFacts,
  LogFullError,
  type LogReader,
  type LogReplica,
  type LogState,
  type Presence,
  RefusedError,
  TOLD_BYTES_MAX,
  UnansweredError,
} from '../log-client.ts';
import {
  type Fields,
  fieldsOf,
  listOf,
  NatsError,
  NO_MESSAGE,
  numberOf,
  STORE_FAILED,
  textOf,
  WRONG_LAST_SEQUENCE,
} from './answers.ts';
import { NatsFollowing } from './following.ts';
import type { NatsNames } from './place.ts';
import type { OpenedStreams } from './streams.ts';
import type { NatsWay } from './way.ts';

/** A record takes no more, bytes: servers advise against messages that take more than one mebibyte. */
const RECORD_BYTES_MAX = 900 * 1024;
/** What the servers' limit of a message has to hold besides the record, bytes. */
const HEAD_BYTES = 4096;
/** A renewal of the lease that is answered later is of no use. */
const LEASE_MS = 1000;

const PART = /^[A-Za-z0-9_-]{1,64}$/;

/** What a client needs to know besides its streams. */
export interface NatsFindings {
  /** See LogFacts. */
  readonly syncs: boolean | null;
  /** What an operator should know, in sentences. */
  readonly warnings: readonly string[];
}

/** A log on NATS. */
export class NatsLog implements LogClient, Presence {
  readonly recordBytesMax: number;
  readonly lease: LeaseCell;
  /** A random text, 64 hex digits, that all who may read the log have alike; empty: the log was made without one. */
  readonly secret: string;
  /** What an operator should know, in sentences. */
  readonly warnings: readonly string[];
  private readonly way: NatsWay;
  private readonly names: NatsNames;
  private readonly id: string;
  private readonly syncs: boolean | null;
  /** What nodes of all groups of the cluster tell one another. */
  readonly allGroups: Presence;
  private readonly told: Presence;
  private readonly followings = new Set<Following>();

  constructor(way: NatsWay, streams: OpenedStreams, findings: NatsFindings) {
    this.way = way;
    this.names = streams.names;
    this.id = streams.id;
    this.secret = streams.secret;
    this.syncs = findings.syncs;
    this.warnings = [...streams.warnings, ...findings.warnings];
    this.recordBytesMax = Math.min(RECORD_BYTES_MAX, way.payloadMax - HEAD_BYTES);
    this.lease = new NatsLease(way, streams.names.lease);
    this.told = new NatsTold(way, streams.names.told);
    this.allGroups = new NatsTold(way, streams.names.toldAll);
  }

  async append(parts: readonly Buffer[], previous: number): Promise<number> {
    try {
      return await this.way.put(this.names.log, joined(parts), previous);
    } catch (error) {
      throw await this.whyRefused(error);
    }
  }

  async state(): Promise<LogState> {
    const { config, state } = await this.info();
    const last = numberOf(state['last_seq']);
    const isEmpty = numberOf(state['messages']) === 0;
    return {
      id: this.id,
      first: isEmpty ? last + 1 : numberOf(state['first_seq']),
      last,
      bytes: numberOf(state['bytes']),
      bytesMax: numberOf(config['max_bytes']),
    };
  }

  read(seq: number): Promise<Buffer | null> {
    return messageOf(this.way, this.names.log, { seq }).then((message) => message?.bytes ?? null);
  }

  follow(from: number, reader: LogReader): Following {
    const first = async (): Promise<number> => (await this.state()).first;
    const following = new NatsFollowing(this.way, this.names.log, first, from, reader);
    this.followings.add(following);
    return {
      stop: () => {
        this.followings.delete(following);
        return following.stop();
      },
    };
  }

  async purge(below: number): Promise<void> {
    // 0 would drop all.
    if (below <= 1) return;
    await this.way.call(`STREAM.PURGE.${this.names.log}`, jsonText({ seq: below }));
  }

  tell(part: string, bytes: Buffer): void {
    this.told.tell(part, bytes);
  }

  onTold(listener: (part: string, bytes: Buffer) => void): () => void {
    return this.told.onTold(listener);
  }

  /** How the log is kept now. Rejects with an UnansweredError. */
  async facts(): Promise<LogFacts> {
    const { name: server, version } = this.way.server;
    const { cluster } = await this.info();
    if (cluster['leader'] === undefined && cluster['replicas'] === undefined) {
      const alone = [{ name: server, current: true, lag: 0 }];
      return { server, version, leader: server, replicas: alone, syncs: this.syncs };
    }
    const leader = textOf(cluster['leader']);
    const replicas: LogReplica[] = leader === '' ? [] : [{ name: leader, current: true, lag: 0 }];
    for (const each of listOf(cluster['replicas']).map(fieldsOf)) {
      const current = each['current'] === true && each['offline'] !== true;
      replicas.push({ name: textOf(each['name']), current, lag: numberOf(each['lag']) });
    }
    return { server, version, leader, replicas, syncs: this.syncs };
  }

  async close(): Promise<void> {
    for (const following of this.followings) await following.stop();
    this.followings.clear();
    await this.way.close();
  }

  private async info(): Promise<{ config: Fields; state: Fields; cluster: Fields }> {
    try {
      const { config, state, cluster } = await this.way.call(`STREAM.INFO.${this.names.log}`, '');
      return { config: fieldsOf(config), state: fieldsOf(state), cluster: fieldsOf(cluster) };
    } catch (error) {
      throw known(error, this.names.log);
    }
  }

  private async whyRefused(error: unknown): Promise<unknown> {
    const isFull =
      error instanceof NatsError && error.code === STORE_FAILED && /maximum/.test(error.message);
    return isFull ? new LogFullError((await this.state()).bytesMax) : known(error, this.names.log);
  }
}

/** What nodes tell one another, as messages that no stream keeps. */
class NatsTold implements Presence {
  private readonly way: NatsWay;
  private readonly prefix: string;

  constructor(way: NatsWay, subject: string) {
    this.way = way;
    this.prefix = `${subject}.`;
  }

  tell(part: string, bytes: Buffer): void {
    if (!PART.test(part)) throw new RangeError(`'${part}' cannot be told: it is no part of a name`);
    if (bytes.length > TOLD_BYTES_MAX) {
      throw new RangeError(`${bytes.length} bytes cannot be told: ${TOLD_BYTES_MAX} may be`);
    }
    this.way.publish(`${this.prefix}${part}`, bytes);
  }

  onTold(listener: (part: string, bytes: Buffer) => void): () => void {
    const { prefix } = this;
    const subscribed = this.way.subscribe(`${prefix}*`, ({ subject, data }) => {
      const part = subject.slice(prefix.length);
      // Another client of the servers may send anything.
      if (!PART.test(part) || data.length > TOLD_BYTES_MAX) return;
      listener(part, Buffer.from(data));
    });
    return () => subscribed.end();
  }
}

/** The lease, as the only message of a stream: its sequence is the revision. */
class NatsLease implements LeaseCell {
  private readonly way: NatsWay;
  private readonly stream: string;

  constructor(way: NatsWay, stream: string) {
    this.way = way;
    this.stream = stream;
  }

  async look(): Promise<{ readonly revision: number; readonly value: Buffer } | null> {
    const last = { last_by_subj: this.stream };
    const message = await messageOf(this.way, this.stream, last, LEASE_MS);
    return message === null ? null : { revision: message.seq, value: message.bytes };
  }

  async set(value: Buffer, revision: number): Promise<number> {
    try {
      return await this.way.put(this.stream, value, revision, LEASE_MS);
    } catch (error) {
      throw known(error, this.stream);
    }
  }
}

/** A message of a stream, or null: there is none. Its leader is asked: the others may be behind. */
async function messageOf(
  way: NatsWay,
  stream: string,
  which: Fields,
  ms?: number,
): Promise<{ readonly seq: number; readonly bytes: Buffer } | null> {
  try {
    const answer = await way.call(`STREAM.MSG.GET.${stream}`, jsonText(which), ms);
    const { seq, data } = fieldsOf(answer['message']);
    return { seq: numberOf(seq), bytes: Buffer.from(textOf(data), 'base64') };
  } catch (error) {
    if (error instanceof NatsError && error.code === NO_MESSAGE) return null;
    throw known(error, stream);
  }
}

/** An error as the port has it. */
function known(error: unknown, stream: string): unknown {
  if (!(error instanceof NatsError)) return error;
  const { code, status, message, cause = error } = error;
  if (WRONG_LAST_SEQUENCE.has(code)) return new RefusedError(message, { cause });
  // What passes by itself: no leader, too many requests, no room on a server's disk.
  if (status >= 500 || status === 429 || status === 408) {
    return new UnansweredError(`the servers of the log cannot answer: ${message}`, { cause });
  }
  const what = `NATS refuses a request for the stream ${stream}: ${message}`;
  return new StoreError(what, 'see that it is there and as Leveret made it', { cause });
}

function joined(parts: readonly Buffer[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
