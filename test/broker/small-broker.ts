// Owns a broker for one test: a disk under control, a clock that stands, and messages in one line.
// Never asserts.

import type { Field } from '../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload, type Properties } from '../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../src/amqp/property-walk.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import type { BrokerListener } from '../../src/broker/broker.ts';
import { Broker } from '../../src/broker/broker.ts';
import { KEEP_ALL, KEEP_NONE } from '../../src/broker/core/enqueue.ts';
import { Consumer } from '../../src/broker/queue/consumer.ts';
import {
  PUSH_DELAYED,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STORED,
} from '../../src/broker/queue/push-flags.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import { DuePlaces, headerSigns, SIGN_STREAM } from '../../src/broker/routing/header-signs.ts';
import { MessageProperties } from '../../src/broker/routing/message-properties.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';
import {
  buildRecord,
  FLAG_PERSISTENT,
  NO_EXPIRY,
  writeRecordHead,
} from '../../src/message/record.ts';
import { viewOf } from '../../src/util/bytes.ts';
import { ControlledStore, Disk } from './controlled-store.ts';
import { readRecord } from './inspect.ts';
import { SimChannel } from './peers.ts';
import { plain } from './plain-queue.ts';

/** Hears nothing of what a broker tells. */
const LISTENER = { turnWanted: () => {}, durable: () => {}, connectionsForced: () => {} };

export const NOW_MS = 1_700_000_000_000;

/** What a message is published with, but for its body. */
export interface Sent {
  readonly exchange?: string;
  readonly routingKey: string;
  readonly properties?: Properties;
}

/** A delivery as a test looks at it. */
export interface Given {
  readonly seq: number;
  readonly position: number;
  readonly redelivered: boolean;
}

export class SmallBroker {
  readonly disk: Disk;
  readonly store: ControlledStore;
  readonly broker: Broker;
  /** The vhost that all of this is in; a test may choose another. */
  vhost: Vhost;
  nowMs: number;
  /** How far the time of day was set since the start of the test. */
  jumpedMs: number;

  constructor(
    disk = new Disk(),
    nowMs = NOW_MS,
    jumpedMs = 0,
    store = new ControlledStore(disk),
    listener: BrokerListener = LISTENER,
  ) {
    this.disk = disk;
    this.nowMs = nowMs;
    this.jumpedMs = jumpedMs;
    this.store = store;
    const wallMs = (): number => this.nowMs + this.jumpedMs;
    const clock = { wallMs, monotonicMs: () => this.nowMs };
    this.broker = new Broker(this.store, clock, listener);
    this.broker.recover({ vhost: '/', user: null });
    this.vhost = this.broker.vhost('/');
  }

  declare(name: string, durable = true, args: Record<string, Field> = {}): Queue {
    const rest = { autoDelete: false, owner: null, arguments: new Map(Object.entries(args)) };
    return plain(this.vhost.as(ALL_RIGHTS, this).declareQueue({ name, durable, ...rest }));
  }

  queue(name: string): Queue {
    return plain(this.vhost.queue(name, this));
  }

  /** Publishes a message; returns whether no queue refused it. */
  publish(
    { exchange = '', routingKey, properties = {} }: Sent,
    body = Buffer.from('body'),
  ): boolean {
    const { log } = this.broker.core;
    const payload = encodeContentHeaderPayload(body.length, properties);
    const record = buildRecord(exchange, routingKey, payload, body);
    const view = viewOf(record);
    const persistent = properties.deliveryMode === 2;
    const { priority, expiration } = properties;
    const expiryMs = expiration === undefined ? NO_EXPIRY : Number(expiration);
    writeRecordHead(view, 0, persistent ? FLAG_PERSISTENT : 0, priority ?? 0, this.nowMs, expiryMs);
    const message = new MessageProperties().read(payload, PROPERTY_FLAGS_OFFSET);
    const route = this.vhost.router.route(exchange, routingKey, message);
    route?.keys?.count();
    if (route === null || route.queues.length === 0) return true;
    const stored = route.keep === KEEP_ALL || (persistent && route.keep !== KEEP_NONE);
    const position = log.append(record, view, 0, record.length, stored);
    log.placed.addRefs(route.queues.length, body.length);
    let flags = stored ? PUSH_STORED : 0;
    flags |= headerSigns(payload, PROPERTY_FLAGS_OFFSET, new DuePlaces()) & SIGN_STREAM;
    if (expiration !== undefined) flags |= PUSH_EXPIRES;
    const { headers } = properties;
    if (headers?.has('x-delay') || headers?.has('x-deliver-at')) flags |= PUSH_DELAYED;
    flags |= headerSigns(payload, PROPERTY_FLAGS_OFFSET, new DuePlaces()) & SIGN_STREAM;
    if (priority !== undefined) flags |= PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
    const taken = route.queues.map((queue) =>
      queue.push(
        position,
        body.length,
        persistent || queue.keepsAll ? flags : flags & ~PUSH_STORED,
      ),
    );
    if (!taken.includes(false)) route.keys?.take(stored);
    return !taken.includes(false);
  }

  /** Publishes persistent messages straight to a queue. */
  fill(queue: string, count: number): void {
    for (let n = 0; n < count; n++) {
      this.publish({ routingKey: queue, properties: { deliveryMode: 2 } });
    }
  }

  /** Subscribes, and returns the list that deliveries go to. */
  consume(queue: Queue, prefetch = 0, noAck = false): Given[] {
    const given: Given[] = [];
    const channel = new SimChannel(
      this.broker.core.lines,
      (_channel, _consumer, _queue, seq, position, redelivered) => {
        given.push({ seq, position, redelivered });
      },
    );
    const none = new Map<string, Field>();
    queue.addConsumer(new Consumer(queue, channel, 'tag', noAck, false, prefetch, none));
    return given;
  }

  /** The body of the message at a position. */
  bodyAt(position: number): string {
    return readRecord(this.broker.core.log, position).body.toString();
  }

  /** The bodies of what is ready in a queue now, which is gone then. */
  readyNow(queue: Queue): string[] {
    const bodies: string[] = [];
    for (;;) {
      const taken = queue.get(true);
      if (taken === null) {
        if (queue.readyCount === 0) return bodies;
        this.commit();
        continue;
      }
      bodies.push(this.bodyAt(taken.position));
      queue.settleGet(taken.seq);
    }
  }

  /** Lets time go by, with turns before and after. */
  pass(ms: number): void {
    this.run();
    this.nowMs += ms;
    this.broker.core.tick();
    this.run();
  }

  /** Seals and writes what there is. */
  commit(): void {
    this.broker.core.seal();
    this.store.sync();
  }

  /** Turns until nothing is left to deliver. */
  run(): void {
    for (let n = 0; n < 1_000; n++) {
      this.broker.core.deliver();
      if (this.broker.core.sealable) this.commit();
    }
  }

  /** The broker after a loss of power. */
  crashed(): SmallBroker {
    return new SmallBroker(this.disk, this.nowMs, this.jumpedMs);
  }

  /** The broker after a clean stop. Deliveries have to be given back before. */
  restarted(): SmallBroker {
    this.broker.sealExactMarks();
    this.commit();
    return new SmallBroker(this.disk, this.nowMs, this.jumpedMs);
  }
}
