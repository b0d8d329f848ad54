// Owns what a program may ask of a broker that it starts inside itself, and what it gets. Types only:
// nothing of the broker's own is named here, so that they stand alone in a published package.

import type { Logger } from 'pino';

/** How a broker inside this process is to be. Everything may be left out. */
export interface BrokerOptions {
  /** Keeps everything in memory, which is the default unless `dataDir` is given. */
  readonly memory?: boolean;
  /** The folder for durable data, made if need be; it stays when the broker is closed. */
  readonly dataDir?: string;
  /** The port for AMQP; 0, the default, picks a free one. */
  readonly port?: number;
  /** The address to listen on: `127.0.0.1` by default. */
  readonly host?: string;
  /** The port of the HTTP API and the web UI; 0 picks a free one. By default there is none. */
  readonly managementPort?: number;
  /** The users that may log in: by default `guest` with the password `guest`. */
  readonly users?: readonly BrokerUser[];
  /** Vhosts beside `/`; all `users` may use them. */
  readonly vhosts?: readonly string[];
  /** Exchanges, queues, bindings, policies and so on, as RabbitMQ exports them: an object, not a path. */
  readonly definitions?: object;
  /**
   * Any other setting by its key in a config file, such as `{ heartbeat: 10 }`;
   * docs/configuration.md lists them.
   */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Where to log: a logger of pino. Nothing is logged by default. */
  readonly logger?: Logger;
}

/** A user of the broker. */
export interface BrokerUser {
  readonly name: string;
  readonly password: string;
  /** `administrator` by default. */
  readonly tags?: readonly string[];
  /** What it may configure, write and read, as regular expressions; everything by default. */
  readonly permission?: {
    readonly configure: string;
    readonly write: string;
    readonly read: string;
  };
}

/** A broker that runs inside this process, and takes connections. */
export interface EmbeddedBroker {
  /** Where clients connect, with the first user's name and password: `amqp://guest:guest@127.0.0.1:41234`. */
  readonly url: string;
  readonly host: string;
  /** The real port. */
  readonly port: number;
  /** The address of the HTTP API, such as `http://127.0.0.1:41235`; null without `managementPort`. */
  readonly managementUrl: string | null;
  readonly clock: BrokerClock;
  readonly faults: BrokerFaults;
  /** Resolves, and never rejects, when the broker can go on no longer: its disk has failed. */
  readonly failed: Promise<Error>;
  /**
   * Resolves when the queues are settled: no message is ready, none is unacked, and nothing is on its
   * way. Rejects after `timeoutMs`, and says what is not settled.
   */
  idle(options?: IdleOptions): Promise<void>;
  /** Closes all connections and the broker. What lay in memory is gone. May be called again. */
  close(): Promise<void>;
  /** The same, for `await using broker = await startBroker()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `idle` waits for. */
export interface IdleOptions {
  /** Only these queues of the vhost; by default all queues of all vhosts. */
  readonly queues?: readonly string[];
  /** The vhost of `queues`: `/` by default. */
  readonly vhost?: string;
  /** How long to wait, in real time: 5000 ms by default. */
  readonly timeoutMs?: number;
}

/** The broker's clock: it runs as that of the machine does, and can be moved on. */
export interface BrokerClock {
  /** What time it is for the broker. */
  now(): Date;
  /**
   * Lets time go by for the broker alone: messages and queues expire, delayed retries fall due, consumer
   * and heartbeat timeouts pass, each in its turn. Resolves when all of that has happened.
   */
  advance(ms: number): Promise<void>;
}

/** A fault that waits for its occasion. */
export interface Fault {
  /** Whether it has happened. */
  readonly happened: boolean;
  /** Resolves once it has happened; never when it is cancelled before. */
  readonly done: Promise<void>;
  /** Takes it back, if it has not happened yet. */
  cancel(): void;
}

/** Which connections are meant: all of them, or those that match. */
export interface ConnectionMatch {
  /** The `connection_name` among the properties of the client. */
  readonly name?: string;
  readonly user?: string;
  readonly vhost?: string;
}

/** Which publishes are meant: all, or those that match. */
export interface PublishMatch {
  /** `''` for the default exchange. */
  readonly exchange?: string;
  readonly routingKey?: string;
}

/** Things that go wrong on request. Those that say `next` happen once. */
export interface BrokerFaults {
  /**
   * The next ack of a consumer gets lost: its messages stay unacked, and come again once the channel or
   * the connection ends. With `queue`, the next one that is for a message of that queue in any vhost.
   */
  dropNextAck(options?: { readonly queue?: string }): Fault;
  /** The next confirm gets lost, with all publishes that it covers; their messages are in the queues. */
  dropNextConfirm(): Fault;
  /** The next confirm is sent `delayMs` later, by the broker's clock. */
  delayNextConfirm(delayMs: number): Fault;
  /** The next message that is published is thrown away; a channel in confirm mode gets a nack. */
  nackNextPublish(options?: PublishMatch): Fault;
  /**
   * The next message that is published arrives `delayMs` later, by the broker's clock, and so does all that its
   * client sends after it.
   */
  delayNextPublish(delayMs: number, options?: PublishMatch): Fault;
  /** The next connection is cut before a word is said. */
  refuseNextConnection(): Fault;
  /** Closes connections as an operator does: they are told 320 CONNECTION_FORCED. Returns how many. */
  closeConnections(match?: ConnectionMatch): number;
  /** Cuts the sockets of connections, as when a cable is pulled. Returns how many. */
  cutConnections(match?: ConnectionMatch): number;
  /**
   * From now on every publisher is blocked, as when memory runs low: clients are told `connection.blocked` at
   * their next publish, and `connection.unblocked` after `unblock`.
   */
  blockPublishers(): { unblock(): void };
  /** Takes back every fault that has not happened yet, and lets publishers go on. */
  reset(): void;
}
