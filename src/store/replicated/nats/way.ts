// Owns the connection to the servers of NATS: asking with an end to waiting, and telling what waits when it is cut. Never
// knows what a stream is for.

import {
  connect,
  createInbox,
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import { systemClock } from '../../../util/clock.ts';
import { PreciseTimer } from '../../../util/timers.ts';
import { causeText, StoreError } from '../../errors.ts';
import { UnansweredError } from '../log-client.ts';
import { accessOptions } from './access.ts';
import { type Fields, readFields } from './answers.ts';
import type { NatsPlace } from './place.ts';
import { Tries } from './tries.ts';
import { loginRefusal, type Refusal, whyNot } from './why-not.ts';

/** How long an answer may take, ms, unless told otherwise. */
const ANSWER_MS = 3000;
const CONNECT_MS = 5000;
/** A server that does not answer a ping of this interval, ms, is left for another one. */
const PING_MS = 2000;
const PINGS_UNANSWERED_MAX = 2;
/** Without a connection, a request is answered so late, ms. */
const CUT_MS = 50;
/** Without a connection for so long, it is found out why there is none, and so often again, ms. */
const WHY_MS = 1000;
const WHY_AGAIN_MS = 5000;

/** A message that came in. */
export type Incoming = Msg;

/** A subscription that can be ended. */
export interface Subscribed {
  end(): void;
}

/** A connection that is made anew, to any of the servers, until it is closed. */
export class NatsWay {
  private readonly connection: NatsConnection;
  private readonly place: NatsPlace;
  private readonly options: NodeConnectionOptions;
  private connected = true;
  private closing = false;
  /** Why there is no connection; null: that is not known, or there is one. */
  private refusal: Refusal | null = null;
  /** Why there will be none any more. */
  private over: StoreError | null = null;
  private readonly asking = new PreciseTimer(() => void this.askWhyNot());
  /** Called once each when the connection is cut: what was asked for will not be answered. */
  readonly cuts = new Set<() => void>();

  private constructor(
    connection: NatsConnection,
    place: NatsPlace,
    options: NodeConnectionOptions,
  ) {
    this.connection = connection;
    this.place = place;
    this.options = options;
    void this.watch();
    void connection.closed().then((error) => this.closed(error));
  }

  /** Connects to one of the servers. Rejects with a StoreError. */
  static async open(place: NatsPlace): Promise<NatsWay> {
    const options: NodeConnectionOptions = {
      servers: [...place.servers],
      noRandomize: true,
      name: `leveret ${place.node}`,
      timeout: CONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: PINGS_UNANSWERED_MAX,
      maxReconnectAttempts: -1,
      reconnectDelayHandler: Tries.waitMs,
      reconnectToServer: new Tries(systemClock).next,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
      ...(await accessOptions(place)),
    };
    try {
      return new NatsWay(await connect(options), place, options);
    } catch (cause) {
      const { why, way } = await whyNot(place, options, cause);
      throw new StoreError(
        `no server of the log can be used at ${place.servers.join(', ')}: ${why}`,
        way,
        { cause },
      );
    }
  }

  /** The name and the version of the server at the other end; empty while there is none. */
  get server(): { readonly name: string; readonly version: string } {
    const { info } = this.connection;
    return { name: info?.server_name ?? '', version: info?.version ?? '' };
  }

  /** The longest message that the server takes, bytes, headers included. */
  get payloadMax(): number {
    return this.connection.info?.max_payload ?? 0;
  }

  /** Asks the API of JetStream. Rejects with a NatsError or an UnansweredError. */
  async call(subject: string, body: string, ms = ANSWER_MS): Promise<Fields> {
    const { data } = await this.ask(`$JS.API.${subject}`, Buffer.from(body), ms);
    return readFields(data);
  }

  /**
   * Puts a message into a stream whose last sequence is this one, and returns that of the message. Rejects with a NatsError
   * or an UnansweredError. No other expectation may ever be sent, nor an id of the message: servers up to 2.15 stop a stream
   * of several replicas for ever where an expected id is not the right one.
   */
  async put(stream: string, payload: Buffer, previous: number, ms = ANSWER_MS): Promise<number> {
    const expectation = headers();
    expectation.set('Nats-Expected-Last-Sequence', String(previous));
    const { data } = await this.ask(stream, payload, ms, expectation);
    const { seq, stream: name } = readFields(data);
    if (name !== stream || typeof seq !== 'number' || seq < 1) {
      throw new UnansweredError('the servers of the log answered with what is no acknowledgement');
    }
    return seq;
  }

  /** Sends a message that is not answered. While there is no connection, it is dropped. */
  publish(subject: string, payload: Buffer, reply?: string): void {
    if (this.connected)
      this.connection.publish(subject, payload, reply === undefined ? {} : { reply });
  }

  /** Calls back with each message of a subject until it is ended. */
  subscribe(subject: string, callback: (message: Incoming) => void): Subscribed {
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) callback(message);
      },
    });
    return { end: () => subscription.unsubscribe() };
  }

  /** A subject that no other client subscribes to. */
  newInbox(): string {
    return createInbox();
  }

  async close(): Promise<void> {
    this.closing = true;
    this.asking.clear();
    await this.connection.close();
  }

  private async ask(subject: string, payload: Buffer, ms: number, head?: MsgHdrs): Promise<Msg> {
    if (this.over !== null) throw this.over;
    if (!this.connected) {
      // What is sent without a connection would wait in memory until there is one. A caller that tries again at once
      // must leave time for one to be made.
      await pause(CUT_MS);
      throw this.unanswered('no server can be reached', null);
    }
    return new Promise((resolve, reject) => {
      const cut = (): void => reject(this.unanswered('the connection was cut', null));
      this.cuts.add(cut);
      const options = head === undefined ? { timeout: ms } : { timeout: ms, headers: head };
      this.connection.request(subject, payload, options).then(
        (message) => {
          this.cuts.delete(cut);
          resolve(message);
        },
        (cause: unknown) => {
          this.cuts.delete(cut);
          reject(this.unanswered(causeText(cause), cause));
        },
      );
    });
  }

  private unanswered(why: string, cause: unknown): UnansweredError {
    const { refusal } = this;
    const more = refusal === null ? '' : `: ${refusal.why}: ${refusal.way}`;
    return new UnansweredError(`the servers of the log have not answered: ${why}${more}`, {
      cause,
    });
  }

  private async watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'reconnect') {
        this.connected = true;
        this.refusal = null;
        this.asking.clear();
      } else if (status.type === 'disconnect' || status.type === 'close') {
        this.connected = false;
        this.tellCut();
        if (!this.closing) this.asking.set(WHY_MS);
      } else if (status.type === 'error') {
        this.refusal = loginRefusal(this.place, status.error) ?? this.refusal;
      }
    }
    this.connected = false;
    this.tellCut();
  }

  /** The connection tries on, and says of most refusals nothing. */
  private async askWhyNot(): Promise<void> {
    const { place, options } = this;
    const told = this.refusal;
    const refusal = await whyNot(place, options, new Error('they do not answer'));
    if (this.connected || this.closing) return;
    // A login that was refused meanwhile is told by the connection itself.
    if (this.refusal === told) this.refusal = refusal;
    this.asking.set(WHY_AGAIN_MS);
  }

  /** The client of NATS has ended the connection of its own accord: no call is answered any more. */
  private closed(error: unknown): void {
    if (this.closing) return;
    const why = error instanceof Error ? `: ${error.message}` : '';
    this.over = new StoreError(
      `the connection to the servers of the log has ended for good${why}`,
      'start this node again',
    );
  }

  private tellCut(): void {
    const waiting = [...this.cuts];
    this.cuts.clear();
    for (const cut of waiting) cut();
  }
}

/** Resolves after so many ms. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    new PreciseTimer(resolve).set(ms);
  });
}
