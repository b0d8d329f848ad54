// Owns what a program may ask of a broker that it starts inside itself, and what it gets. Types only:
// nothing of the broker's own is named here, so that they stand alone in a published package.

/// <reference lib="esnext.disposable" preserve="true" />

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
  /** The port of the HTTP API and the web UI; 0 picks a free one, null is none, the default. */
  readonly managementPort?: number | null;
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
  /** Where to log: a logger of pino, or one that has the same methods. Nothing is logged by default. */
  readonly logger?: BrokerLogger;
}

/** What a broker calls of a logger; every logger of pino has it. */
export interface BrokerLogger {
  readonly level: string;
  isLevelEnabled(level: string): boolean;
  /** A logger whose lines have these fields, too. */
  child(fields: Record<string, unknown>): BrokerLogger;
  readonly trace: WriteLine;
  readonly debug: WriteLine;
  readonly info: WriteLine;
  readonly warn: WriteLine;
  readonly error: WriteLine;
  readonly fatal: WriteLine;
}

/** Writes a line of the log: a text, or fields with a text. */
export interface WriteLine {
  (text: string): void;
  (fields: object, text?: string): void;
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
  /**
   * A queue as the broker has it, to look at and wait for without a client. Throws where there is no such queue.
   */
  queue(name: string, options?: QueueOptions): BrokerQueue;
  /** Closes all connections and the broker. What lay in memory is gone. May be called again. */
  close(): Promise<void>;
  /** The same, for `await using broker = await startBroker()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Which queue is meant. */
export interface QueueOptions {
  /** Its vhost: `/` by default. */
  readonly vhost?: string;
}

/** A queue of a broker inside this process. All members throw once there is no queue of that name any more. */
export interface BrokerQueue {
  readonly name: string;
  readonly vhost: string;
  /** Messages that may be delivered. */
  readonly ready: number;
  /** Messages that were delivered, and are not acked. */
  readonly unacked: number;
  /** Both together. */
  readonly depth: number;
  /** Messages that wait for their time: `depth` is without them. */
  readonly delayed: number;
  readonly consumers: number;
  /** Its messages in their order, looked at without being delivered: the first 1,000, or `limit`. */
  messages(options?: MessagesOptions): readonly BrokerMessage[];
  /** Resolves when it has so many messages, exactly. Rejects after `timeoutMs`, and says what it has. */
  waitForDepth(depth: number | DepthMatch, options?: WaitOptions): Promise<void>;
  /**
   * Resolves with the first of its messages for which `wanted` returns true; without `wanted`, with the first
   * message. One that a consumer has acked before anything looked is not found.
   */
  waitForMessage(
    wanted?: (message: BrokerMessage) => boolean,
    options?: WaitOptions,
  ): Promise<BrokerMessage>;
}

/** A message in a queue. */
export interface BrokerMessage {
  readonly body: Uint8Array;
  /** Where it was published to: `''` is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  /** The properties it has, by their names in JavaScript: `messageId`, `headers`, ... */
  readonly properties: { readonly [name: string]: unknown };
  readonly state: 'ready' | 'unacked';
}

/** How many messages are wanted. */
export interface MessagesOptions {
  readonly limit?: number;
}

/** How many messages a queue is to have; what is left out may be any number. */
export interface DepthMatch {
  readonly depth?: number;
  readonly ready?: number;
  readonly unacked?: number;
}

/** How long to wait. */
export interface WaitOptions {
  /** In real time: 5000 ms by default. */
  readonly timeoutMs?: number;
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
   * Lets time go by for the broker alone: messages and queues expire, consumer and
   * heartbeat timeouts pass, each in its turn. Resolves when all of that has happened.
   */
  advance(ms: number): Promise<void>;
  /**
   * The same, and each time something has fallen due it waits until consumers have settled what they were given. So
   * a message that fails and waits again goes through all of its retries. Messages that no consumer takes may stay.
   * Without `ms`, time goes by until the queues are empty or nothing falls due any more. Ticks of schedules have no
   * end: they come on the way, and are not waited for. `options` say which queues count, and how long to wait in real
   * time, as for `idle`.
   */
  advanceUntilIdle(ms?: number, options?: IdleOptions): Promise<void>;
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
  /** Closes connections as a broker that stops does: they are told 320 CONNECTION_FORCED. Returns how many. */
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
