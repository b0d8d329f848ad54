// Owns a vhost for tests that has some of everything, and telling all that can be seen of one. Never asserts.

import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { readSchedule } from '../../../src/broker/definitions/schedule-json.ts';
import { type TakeOptions, takeVhost } from '../../../src/broker/moving/take-vhost.ts';
import { LAYERS, readPolicy } from '../../../src/broker/policy/policy.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import type { Store } from '../../../src/store/port.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import { ControlledStore, type Disk } from '../controlled-store.ts';
import { limitPages, wrongReferences } from '../inspect.ts';
import { plain, plainQueues, streamsAmong } from '../plain-queue.ts';
import { append, declareStream, StreamReader, streamOf } from '../queue/stream/stream-reader.ts';
import { NOW_MS, SmallBroker } from '../small-broker.ts';

const HOUR = 3_600_000;
const text = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'l', value });
const YES: Field = { type: 't', value: true };

/** So few that wait are in memory that most lie in pages of their spans. */
const FEW_WAITING = { heapMax: 8, heapKept: 4, awayMin: 4_096, openMax: 12, openPages: 1 };

/** The name of the vhost that moves. */
export const NAME = 'moving';

/** A small broker that looks at a vhost of that name, which is made where it is not there. */
export function within(small: SmallBroker, name = NAME): SmallBroker {
  small.vhost = small.broker.vhosts.get(name) ?? small.broker.putVhost(name);
  return small;
}

/** Publishes a persistent message with these headers. */
function send(
  small: SmallBroker,
  routingKey: string,
  body: string,
  headers: Record<string, Field> = {},
  more: { exchange?: string; priority?: number; expiration?: string } = {},
): boolean {
  const { exchange = '', ...properties } = more;
  const all = { deliveryMode: 2, headers: new Map(Object.entries(headers)), ...properties };
  return small.publish({ exchange, routingKey, properties: all }, Buffer.from(body));
}

/** Takes a ready message, and hands it to `then` with its seq. */
function taken(small: SmallBroker, queue: Queue, then: (seq: number) => void): void {
  let entry = queue.take();
  if (entry === null) {
    small.commit();
    entry = queue.take();
  }
  if (entry !== null) then(entry.seq);
}

function declareExchange(
  small: SmallBroker,
  name: string,
  type: string,
  args: Record<string, Field> = {},
): void {
  const more = { durable: true, autoDelete: false, internal: false };
  const declaration = { name, type, ...more, arguments: new Map(Object.entries(args)) };
  small.vhost.as(ALL_RIGHTS).declareExchange(declaration);
}

/**
 * A broker after a crash, whose vhost has some of everything. Between its messages lie those of another vhost. `spans`: its stream
 * has more than one span.
 */
export function filled({ spans = false, jumpedMs = 0 } = {}): SmallBroker {
  const small = within(new SmallBroker(undefined, NOW_MS, 0));
  // The time of day is set while it runs.
  small.pass(1);
  small.jumpedMs = jumpedMs;
  small.pass(1);
  small.broker.core.time.save();
  limitPages(small.broker, 64, 1);
  small.broker.core.delayRows.bounds = FEW_WAITING;
  const elsewhere = small.broker.vhost('/');
  const inside = small.vhost;
  small.vhost = elsewhere;
  small.declare('noise');
  small.vhost = inside;
  const noise = (count = 1): void => {
    small.vhost = elsewhere;
    for (let n = 0; n < count; n++) send(small, 'noise', `noise ${'.'.repeat(200)}`);
    small.vhost = inside;
  };
  noise(400);
  topology(small);
  messages(small, noise);
  small.run();
  streams(small, spans);
  small.run();
  purging(small);
  return after(small);
}

/** The same broker after a loss of power. */
export function after(small: SmallBroker): SmallBroker {
  const next = new SmallBroker(small.disk, small.nowMs, small.jumpedMs);
  next.broker.core.delayRows.bounds = FEW_WAITING;
  return within(next);
}

function topology(small: SmallBroker): void {
  const { vhost } = small;
  declareExchange(small, 'x', 'topic');
  declareExchange(small, 'to', 'fanout');
  declareExchange(small, 'once', 'direct', {
    'x-message-deduplication': YES,
    'x-cache-size': int(99),
  });
  small.declare('plain');
  small.declare('paused');
  small.declare('ttl', true, { 'x-message-ttl': int(2 * HOUR) });
  small.declare('ranked', true, { 'x-max-priority': int(5) });
  small.declare('tried', true, { 'x-delayed-retry-min': int(5_000), 'x-delivery-limit': int(9) });
  small.declare('grouped', true, { 'x-group-header': text('group') });
  small.declare('later');
  small.declare('acked', true, { 'x-message-deduplication': YES, 'x-cache-release': text('ack') });
  small.declare('timed', true, {
    'x-message-deduplication': YES,
    'x-cache-release': text('ttl'),
    'x-cache-ttl': int(HOUR),
  });
  small.declare('ticks');
  small.declare('purged');
  small.declare('aside');
  small.declare('passing', false);
  vhost.bindings.bind(vhost.exchange('x'), small.queue('plain'), 'a.#', new Map());
  vhost.bindings.bind(vhost.exchange('x'), vhost.exchange('to'), 'b', new Map([['k', int(1)]]));
  vhost.bindings.bind(vhost.exchange('to'), small.queue('paused'), '', new Map());
  vhost.bindings.bind(vhost.exchange('once'), small.queue('timed'), 'k', new Map());
  vhost.pauseQueue(small.queue('paused'), true);
  const policy = { pattern: '^plain$', definition: { 'max-length': 100_000 } };
  vhost.policies.set('policy', readPolicy('policy', 'p', policy));
  vhost.policies.set('operator_policy', readPolicy('operator_policy', 'o', policy));
  vhost.parameters.set({ component: 'c', name: 'n', value: { a: [1, 'b'] } });
  const schedules: [string, JsonObject][] = [
    ['every', { every: 60_000 }],
    ['cron', { cron: '0 * * * *' }],
  ];
  for (const [name, timing] of schedules) {
    const json: JsonObject = { routing_key: 'ticks', payload: name, ...timing };
    vhost.schedules.set(readSchedule(name, (key) => json[key]));
  }
  small.pass(60_000);
  small.pass(60_000);
}

function messages(small: SmallBroker, noise: (count?: number) => void): void {
  for (let n = 0; n < 600; n++) {
    send(small, 'plain', `plain ${n}`);
    if (n % 3 === 0) noise();
  }
  const plainQueue = small.queue('plain');
  for (let n = 0; n < 300; n++) {
    taken(small, plainQueue, (seq) =>
      n % 2 === 0 ? plainQueue.settle(seq) : plainQueue.requeue(seq),
    );
  }
  for (let n = 0; n < 20; n++) {
    send(small, 'b', `paused ${n}`, {}, { exchange: 'x' });
    send(small, 'ttl', `ttl ${n}`, {}, n % 3 === 0 ? { expiration: String(HOUR) } : {});
    send(small, 'ranked', `ranked ${n}`, {}, n % 4 === 0 ? {} : { priority: n % 6 });
    send(small, 'tried', `tried ${n}`);
    send(small, 'grouped', `grouped ${n}`, { group: text(`g${n % 3}`) });
    send(small, 'acked', `acked ${n}`, { 'x-deduplication-header': text(`k${n % 15}`) });
    send(
      small,
      'k',
      `timed ${n}`,
      { 'x-deduplication-header': text(`k${n % 15}`) },
      { exchange: 'once' },
    );
    send(small, 'aside', `aside ${n}`, { 'x-delay': int(n < 15 ? 0 : 900_000) });
    small.publish({ routingKey: 'plain' }, Buffer.from('not stored'));
    noise();
  }
  for (let n = 0; n < 60; n++) {
    const delayMs = [1_000, 90_000, 3 * HOUR, 50 * HOUR, 900 * HOUR][n % 5] as number;
    send(small, 'later', `later ${n}`, { 'x-delay': int(delayMs + n) });
    if (n % 9 === 0) small.commit();
  }
  send(small, 'acked', 'acked later', {
    'x-delay': int(HOUR),
    'x-deduplication-header': text('waits'),
  });
  small.run();
  small.pass(1_030);
  for (const name of ['tried', 'ranked', 'grouped', 'ttl']) {
    const queue = small.queue(name);
    for (let n = 0; n < 6; n++) {
      taken(small, queue, (seq) => (n % 3 === 0 ? queue.settle(seq) : queue.requeue(seq, true)));
    }
  }
  const aside = small.queue('aside');
  for (let n = 0; n < 2; n++) {
    taken(small, aside, (seq) => {
      const held = { ...aside.messages.entryOf(seq) };
      small.vhost.setAside(aside, held, 'deliver', new Error(`it was broken ${n}`));
      aside.messages.end(seq);
    });
  }
}

function streams(small: SmallBroker, spans: boolean): void {
  declareStream(small);
  append(small, 0, spans ? 66_000 : 700);
  for (let n = 0; n < 40; n++) {
    send(small, 's', `from ${n}`, {
      'x-stream-filter-value': text(`f${n % 3}`),
      'x-stream-publisher': text(`p${n % 2}`),
      'x-stream-publishing-id': int(n),
    });
  }
  small.run();
  const reader = new StreamReader(small, streamOf(small), { group: 'readers' } as never, 100);
  for (let n = 0; n < 5; n++) small.broker.core.deliver();
  reader.ack(80);
  small.run();
  reader.leave();
  small.run();
}

/** A purge and what is dropped of waiting messages, whose rows are still there. */
function purging(small: SmallBroker): void {
  small.fill('purged', 5_000);
  small.commit();
  small.vhost.purgeQueueBy(
    (steps, then) => {
      for (const _step of steps);
      then();
    },
    small.queue('purged'),
    () => {},
  );
  for (let n = 0; n < 10; n++) send(small, 'purged', `behind ${n}`);
  small.commit();
}

/** All that can be seen of a vhost. What is in its queues is gone then. */
export function toldOf(small: SmallBroker): Record<string, unknown> {
  const { vhost, broker } = small;
  const { time } = broker.core;
  const queues = plainQueues(vhost.queues.values());
  const told: Record<string, unknown> = {
    exchanges: [...vhost.exchanges.values()].map((each) => [
      each.name,
      each.type,
      [...each.arguments],
      [...each.bindings.keys()].sort(),
    ]),
    policies: LAYERS.map((layer) =>
      vhost.policies
        .list(layer)
        .map(({ name, pattern, applyTo, priority, definition }) => [
          name,
          pattern.text,
          applyTo,
          priority,
          definition,
        ]),
    ),
    held: queues.map((queue) => [queue.name, vhost.policies.of(queue).policy?.name]),
    parameters: vhost.parameters.list(),
    schedules: [...vhost.schedules.each()].map(({ name, state, dueMs, since, byWallClock }) => {
      const covered = byWallClock ? state.coveredMs : time.wallOf(state.coveredMs);
      const { published, failed, lastAtMs } = state;
      return [name, time.wallOf(dueMs), since.wallMs, covered, published, failed, lastAtMs];
    }),
    aside: [...broker.core.setAside.list(NAME)].map((each) => [
      each.queue,
      vhost.queues.get(each.queue)?.id === each.queueId,
      each.seq,
      each.doing,
      each.error,
      each.flags,
      each.atMs,
      small.bodyAt(each.position),
    ]),
    waiting: queues.map((queue) => [
      queue.name,
      queue.delays
        .soonest(1_000, null)
        .entries.map(({ dueMs, position, ...entry }) => [
          time.wallOf(dueMs),
          small.bodyAt(position),
          entry.flags,
          entry.priority,
          entry.returns,
        ]),
    ]),
    streams: streamsAmong(vhost.queues.values()).map((stream) => {
      const { entries } = stream;
      return {
        name: stream.name,
        range: [entries.first, entries.tail, entries.bodyBytes, time.wallOf(entries.lastMs)],
        places: [...stream.places.all].map(([name, { offset, movedMs }]) => [
          name,
          offset,
          time.wallOf(movedMs),
        ]),
        publishers: [...stream.publishers.after('')],
        read: read(small, stream.name),
        filtered: read(small, stream.name, ['f1']),
      };
    }),
  };
  told['expiries'] = queues.map((queue) => [
    queue.name,
    queue.messages.lanes.flatMap((lane) => {
      const found: number[] = [];
      const { entries } = lane;
      for (let seq = 0; seq < entries.tail; seq++) {
        if (!entries.has(seq, true)) continue;
        const atMs = lane.expiryOf(seq, queue.rules.messageTtlMs);
        found.push(atMs === Infinity ? atMs : time.wallOf(atMs));
      }
      return found;
    }),
  ]);
  told['duplicates'] = duplicates(small);
  told['ready'] = queues.map((queue) => [
    queue.name,
    queue.paused,
    queue.durable,
    queue.readyCount,
    queue.delayedCount,
    drained(small, queue),
  ]);
  return told;
}

function read(small: SmallBroker, name: string, values?: string[]): [number, string][] {
  const filter =
    values === undefined
      ? null
      : { values: values.map((each) => Buffer.from(each)), unfiltered: false };
  const reader = new StreamReader(small, streamOf(small, name), { filter } as never);
  for (let turns = 0; turns < 10_000 && small.broker.core.deliver(); turns++);
  reader.leave();
  return reader.given;
}

/** Which of some keys are known. */
function duplicates(small: SmallBroker): unknown {
  const count = (): number[] => [
    small.queue('acked').counts.duplicates,
    small.queue('timed').counts.duplicates,
    small.vhost.exchange('once').duplicatesIn,
  ];
  const before = count();
  for (let n = 0; n < 30; n++) {
    const headers = { 'x-deduplication-header': text(n === 29 ? 'waits' : `k${n}`) };
    send(small, 'acked', `again ${n}`, headers);
    send(small, 'timed', `again ${n}`, headers);
    send(small, 'k', `again ${n}`, headers, { exchange: 'once' });
  }
  return count().map((now, n) => now - (before[n] as number));
}

function drained(small: SmallBroker, queue: Queue): unknown[] {
  const found: unknown[] = [];
  for (;;) {
    const entry = queue.take();
    if (entry === null) {
      if (!queue.waitsForMark && queue.readyCount === 0) break;
      if (found.length > 10_000) throw new Error(`${queue.name} does not end`);
      small.commit();
      if (
        queue.readyCount > 0 &&
        !queue.waitsForMark &&
        queue.messages.nextInGroups() < 0 &&
        queue.messages.grouped !== null
      )
        break;
      continue;
    }
    const { seq, redelivered } = entry;
    found.push([small.bodyAt(entry.position), redelivered, queue.returnsOf(seq)]);
    queue.settle(seq);
  }
  return found;
}

/** A copy of the disk of a broker, to be looked at. */
export function snapshotOf({ disk }: { disk: Disk }): Store {
  return new ControlledStore(disk.copy());
}

/** Has turns pass until a promise is settled; `each` is called after every one. */
export async function driven<T>(
  small: SmallBroker,
  promise: Promise<T>,
  each = (): void => {},
): Promise<T> {
  let settled = false;
  const end = (): void => {
    settled = true;
  };
  promise.then(end, end);
  for (let turns = 0; turns < 100_000; turns++) {
    for (let n = 0; n < 20; n++) await Promise.resolve();
    if (settled) return promise;
    small.broker.core.deliver();
    if (small.broker.core.sealable) small.commit();
    each();
  }
  throw new Error('it does not come to its end');
}

/** Takes the vhost out of a snapshot of a broker into another. */
export async function moved(
  from: Store,
  to: SmallBroker,
  each = (): void => {},
  options: TakeOptions = {},
): Promise<void> {
  within(to);
  to.commit();
  await driven(to, takeVhost(to.broker, to.vhost, from, options), each);
}

/** What is wrong with the references of all vhosts to the log, or null. */
export function wrongIn({ broker }: SmallBroker): string | null {
  const queues = [...broker.vhosts.values()].flatMap((vhost) => [...vhost.queues.values()]);
  return wrongReferences(broker, queues);
}

/** How many rows there are of each table, once all is at rest. */
export function rowsOf(small: SmallBroker): number[] {
  small.run();
  return Array.from({ length: 16 }, (_, table) => small.disk.keys(table).length);
}

/** A broker with a vhost of its own, and messages in it. */
export function other(nowMs: number, jumpedMs = 0, vhost = '/'): SmallBroker {
  const small = within(new SmallBroker(undefined, nowMs, jumpedMs), vhost);
  small.declare('own');
  small.declare('gone');
  for (let n = 0; n < 500; n++) {
    send(small, 'own', `own ${n}`);
    send(small, 'gone', `gone ${n}`);
  }
  small.run();
  small.readyNow(plain(small.vhost.queue('gone', small)));
  small.run();
  return small;
}

/** The bodies in the queue of that vhost. */
export function ownOf(small: SmallBroker): string[] {
  small.vhost = small.broker.vhost('/');
  const bodies: string[] = [];
  const queue = small.queue('own');
  for (const lane of queue.messages.lanes) {
    for (let seq = 0; seq < lane.entries.tail; seq++) {
      if (lane.entries.has(seq, true)) bodies.push(small.bodyAt(lane.entries.positionOf(seq)));
    }
  }
  return bodies;
}
