// A broker inside the test's own process: real sockets, nothing on disk, a log that is kept, and
// after each test a look at whether every connection, message and buffer was given back.
import type { ConnectionOptions } from 'node:tls';
import { pino } from 'pino';
import { afterEach, expect } from 'vitest';
import { defaultSettings } from '../../src/config/settings.ts';
import type { Segment } from '../../src/message/log/segment.ts';
import type { Machine } from '../../src/server/backpressure/machine.ts';
import type { Connection } from '../../src/server/connection/connection.ts';
import type { GroupPlaces } from '../../src/server/group-places.ts';
import { Server } from '../../src/server/server.ts';
import type { ServerSettings } from '../../src/server/settings.ts';
import { openMemoryStore } from '../../src/store/memory/engine.ts';
import type { Store } from '../../src/store/port.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { eventually } from '../support/amqp.ts';
import { type Endpoint, type OpenOptions, RawConnection } from '../support/amqp-raw.ts';

/** A clock that stands still until the test moves it. */
export class FakeClock implements Clock {
  nowMs = 1_700_000_000_000;

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }
}

export interface LogLine {
  level: number;
  msg: string;
  reason?: string;
  peer?: string;
  err?: { message: string; stack: string };
}

/** One broker of a test, with its clients. */
export class TestServer {
  readonly server: Server;
  readonly store: Store;
  readonly lines: LogLine[] = [];
  private readonly raws: RawConnection[] = [];
  private port = 0;
  private tlsPort = 0;
  private readonly segmentsWhenEmpty: number;
  private diskStuck = false;
  private toldLate: (() => void) | null = null;

  constructor(
    settings: Partial<ServerSettings>,
    clock: Clock,
    machine?: Machine,
    groups?: GroupPlaces,
  ) {
    const write = (line: string): number => this.lines.push(JSON.parse(line) as LogLine);
    const log = pino({ level: 'info', base: null }, { write });
    const all = { ...defaultSettings(), ...settings };
    const guest = { user: 'guest', password: 'guest', vhost: '/', logCost: 1 };
    const access = { ...guest, loopbackUsers: ['guest'] };
    this.store = openMemoryStore();
    this.tapDurable();
    this.server = new Server(this.store, all, access, log, clock, '0.0.0', {
      ...(machine === undefined ? {} : { machine }),
      ...(groups === undefined ? {} : { groups }),
    });
    this.segmentsWhenEmpty = this.segments.length;
  }

  async listen(): Promise<void> {
    const at = { host: '127.0.0.1', port: 0 };
    const addresses = [{ key: 'listeners.tcp.default', ...at, tls: false }];
    const { sslCertfile } = this.server.settings;
    if (sslCertfile !== null) addresses.push({ key: 'listeners.ssl.default', ...at, tls: true });
    const [plain, secure] = await this.server.listen(addresses);
    this.port = plain?.port ?? 0;
    this.tlsPort = secure?.port ?? 0;
  }

  /** Where it listens for TLS, if it was given a certificate. */
  get tlsEndpoint(): Endpoint {
    return { ...this.endpoint, port: this.tlsPort };
  }

  /** A connection over TLS that has said nothing yet. */
  async dialTls(options: ConnectionOptions): Promise<RawConnection> {
    const raw = await RawConnection.dial(this.tlsEndpoint, options);
    this.raws.push(raw);
    return raw;
  }

  /** An open connection over TLS with channel 1 open. */
  async openTls(tls: ConnectionOptions, options?: OpenOptions): Promise<RawConnection> {
    const raw = await this.dialTls(tls);
    expect((await raw.open(options)).name).toBe('connection.open-ok');
    await raw.openChannel(1);
    return raw;
  }

  get endpoint(): Endpoint {
    return { host: '127.0.0.1', port: this.port, user: 'guest', password: 'guest', vhost: '/' };
  }

  /** A connection that has said nothing yet. */
  async dial(): Promise<RawConnection> {
    const raw = await RawConnection.dial(this.endpoint);
    this.raws.push(raw);
    return raw;
  }

  /** An open connection with channel 1 open. */
  async open(options?: OpenOptions): Promise<RawConnection> {
    const raw = await this.dial();
    const reply = await raw.open(options);
    expect(reply.name).toBe('connection.open-ok');
    await raw.openChannel(1);
    return raw;
  }

  /** From now on nothing becomes durable, as far as the broker is told. */
  stickDisk(): void {
    this.diskStuck = true;
  }

  /** What was written since the disk stuck is durable now. */
  unstickDisk(): void {
    this.diskStuck = false;
    const tell = this.toldLate;
    this.toldLate = null;
    tell?.();
  }

  private tapDurable(): void {
    const { store } = this;
    const listen = store.onDurable.bind(store);
    store.onDurable = (listener) => {
      listen((batch) => {
        if (this.diskStuck) this.toldLate = () => listener(batch);
        else listener(batch);
      });
    };
    const busy = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(store), 'busy');
    Object.defineProperty(store, 'busy', {
      get: () => this.toldLate !== null || busy?.get?.call(store) === true,
    });
  }

  /** How many connections the broker knows of. */
  get connectionCount(): number {
    return privately<{ connections: Set<unknown> }>(this.server).connections.size;
  }

  /** How many of them an alarm blocks. */
  get blockedCount(): number {
    const { connections } = privately<{ connections: Set<Connection> }>(this.server);
    return [...connections].filter(({ guard }) => guard.blocked).length;
  }

  /** The segments of both logs. */
  get segments(): Segment[] {
    const { segments } = privately<{ segments: Map<number, Segment> }>(this.server.broker.core.log);
    return [...segments.values()];
  }

  /** Shows that a newcomer is served: a message goes through a queue of its own. */
  async expectServing(): Promise<void> {
    const raw = await this.open();
    const { queue } = await raw.call(1, 'queue.declare', { exclusive: true });
    raw.publish(1, { routingKey: queue }, {}, Buffer.from('still here'));
    raw.send(1, 'basic.get', { queue, noAck: true });
    expect((await raw.message(1)).body.toString()).toBe('still here');
    await raw.close();
  }

  /** Ends every client and waits until the broker has noticed. */
  async dropAll(): Promise<void> {
    for (const raw of this.raws.splice(0)) raw.drop();
    await eventually(() => this.connectionCount === 0, 'the end of all connections');
  }

  /** Fails unless all that connections and queues held is given back once they are gone. */
  async expectNothingHeld(): Promise<void> {
    await this.dropAll();
    const { broker } = this.server;
    for (const vhost of broker.vhosts.values()) {
      for (const queue of [...vhost.queues.values()]) {
        expect(queue.unackedCount, `unacked in ${queue.name} without a connection`).toBe(0);
        vhost.removeQueue(queue);
      }
    }
    broker.core.awaitBatch();
    // What was deleted is let go of with the batches that follow.
    await eventually(() => !broker.core.sweeps.any, 'the end of all sweeps');
    await eventually(() => broker.core.durableBatch >= this.store.batch - 1, 'the last batch');
    const { segments } = this;
    const held = segments.filter((segment) => segment.liveWeight !== 0 || segment.pins !== 0);
    expect(held.map(({ id, liveWeight, pins, open }) => ({ id, liveWeight, pins, open }))).toEqual(
      [],
    );
    expect(segments.length, 'segments of an empty broker').toBe(this.segmentsWhenEmpty);
  }

  async stop(): Promise<void> {
    await this.dropAll();
    await this.server.closeConnections('the test is over');
    this.server.finish();
    await this.store.close();
  }
}

/** Gives tests a way to start brokers; after each test they must hold nothing and have no errors. */
export function useServers(): (
  settings?: Partial<ServerSettings>,
  clock?: Clock,
  machine?: Machine,
  groups?: GroupPlaces,
) => Promise<TestServer> {
  const running: TestServer[] = [];
  afterEach(async () => {
    for (const each of running.splice(0)) {
      await each.expectNothingHeld();
      await each.stop();
      expect(each.lines.filter((line) => line.level >= 50)).toEqual([]);
    }
  });
  return async (settings = {}, clock = systemClock, machine = undefined, groups = undefined) => {
    const started = new TestServer(settings, clock, machine, groups);
    running.push(started);
    await started.listen();
    return started;
  };
}

/** Looks at fields that are nobody's business but a test's. */
export function privately<T>(object: object): T {
  return object as unknown as T;
}

/** A source of numbers that depends on its seed alone (mulberry32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** From 0 up to, not including, `below`. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

/** The seed of a random test: SEED from the environment, else a new one; printed either way. */
export function printedSeed(what: string): number {
  const given = process.env['SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  console.log(`${what}: SEED=${seed}`);
  return seed;
}
