// Owns the tests of imports of many definitions: their steps, what others may change meanwhile, and crashes.

import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { HASHING_SCRYPT } from '../../../src/broker/access/password.ts';
import {
  applyInSlices,
  type Prepared,
  prepareImport,
} from '../../../src/broker/definitions/import.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import { SmallBroker } from '../small-broker.ts';

const COUNT = 500;

/** Queues and their bindings in the vhost `/` and one of their own. */
function many(): JsonObject {
  const places = Array.from({ length: COUNT }, (_, i) => ({
    name: `q${i}`,
    vhost: i % 2 === 0 ? '/' : 'own',
  }));
  const bindings = places.map(({ name, vhost }) => ({
    source: 'amq.direct',
    vhost,
    destination: name,
    destination_type: 'queue',
    routing_key: name,
    arguments: {},
  }));
  const queues = places.map((each) => ({
    ...each,
    durable: true,
    auto_delete: false,
    arguments: {},
  }));
  return { vhosts: [{ name: 'own' }], users: [], queues, bindings } as JsonObject;
}

/** Checks definitions; returns in how many steps too. */
function prepared({ broker }: SmallBroker, json: JsonObject): [Prepared, number] {
  const steps = prepareImport(broker, json, {});
  for (let n = 0; ; n++) {
    const step = steps.next();
    if (step.done === true) return [step.value, n];
  }
}

/** Has everything that is declared take a part of a turn. */
function slowly(small: SmallBroker): void {
  small.broker.changes.listener = () => {
    small.nowMs += 1;
  };
}

/** Turns until an act is over; returns how many it took. */
async function turnsUntil(
  { broker }: SmallBroker,
  end: Promise<void>,
  look: () => void,
): Promise<number> {
  let over = false;
  void end.then(() => {
    over = true;
  });
  // What comes before the act waits for nothing but promises.
  for (let n = 0; n < 10; n++) await Promise.resolve();
  let turns = 0;
  for (; broker.core.slices.any; turns++) {
    look();
    broker.core.deliver();
  }
  await end;
  expect(over).toBe(true);
  return turns;
}

test('many definitions are checked and taken in step by step, in one batch', async () => {
  const small = new SmallBroker();
  small.commit();
  const [ready, steps] = prepared(small, many());
  // Items are made, read and checked in steps of 16.
  expect(steps).toBeGreaterThanOrEqual(3 * 2 * Math.floor(COUNT / 16));
  expect(small.vhost.queues.size).toBe(0);
  slowly(small);
  const turns = await turnsUntil(small, applyInSlices(small.broker, ready), () => {
    expect(small.broker.core.line.underWay).toBe(false);
    expect(small.broker.core.sealable).toBe(false);
    const before = small.crashed().broker;
    expect([before.vhosts.size, before.vhost('/').queues.size]).toEqual([1, 0]);
  });
  expect(turns).toBeGreaterThan(10);
  small.commit();
  const after = small.crashed().broker;
  for (const name of ['/', 'own']) {
    const { queues, exchanges } = after.vhost(name);
    expect(queues.size).toBe(COUNT / 2);
    expect(exchanges.get('amq.direct')?.bindings.size).toBe(COUNT / 2);
  }
});

test('definitions are read in steps, as they are checked, whichever list they are in', () => {
  const small = new SmallBroker();
  const wide = Array.from({ length: 320 }, (_, n) => n);
  const limits = { 'max-queues': 5 };
  const all = { user: 'u0', vhost: '/', configure: '', write: '', read: '' };
  const lists = {
    users: wide.map((n) => ({ name: `u${n}`, password_hash: '', tags: [] })),
    vhosts: wide.map((n) => ({ name: `v${n}` })),
    parameters: wide.map((n) => ({
      component: 'vhost-limits',
      name: 'limits',
      vhost: `v${n}`,
      value: limits,
    })),
    global_parameters: wide.map((n) => ({ name: `g${n}`, value: n })),
    permissions: wide.map(() => all),
    exchanges: wide.map((n) => ({ name: `x${n}`, vhost: '/', type: 'topic' })),
    policies: wide.map((n) => ({
      name: `p${n}`,
      vhost: '/',
      pattern: '^a',
      definition: { 'max-length': 1 },
    })),
  };
  const needed = { permissions: ['users'], parameters: ['vhosts'] } as Record<string, string[]>;
  for (const [list, items] of Object.entries(lists)) {
    const rest = (needed[list] ?? []).map((each) => [each, lists[each as keyof typeof lists]]);
    const json = { ...Object.fromEntries(rest), [list]: items } as unknown as JsonObject;
    // Items are made and read in steps of 16.
    expect([list, prepared(small, json)[1] >= (2 * wide.length) / 16]).toEqual([list, true]);
  }
});

test('what others change meanwhile stays as they want it, and the rest is taken in', async () => {
  const small = new SmallBroker();
  const declaration = {
    vhost: '/',
    durable: true,
    auto_delete: false,
    internal: false,
    arguments: {},
  };
  const exchanges = [{ name: 'x', type: 'topic', ...declaration }];
  const [ready] = prepared(small, { ...many(), exchanges });
  const rest = { durable: false, autoDelete: false, internal: false, arguments: new Map() };
  small.vhost.as(ALL_RIGHTS).declareExchange({ name: 'x', type: 'fanout', ...rest });
  slowly(small);
  let deleted = false;
  await turnsUntil(small, applyInSlices(small.broker, ready), () => {
    if (deleted || !small.broker.vhosts.has('own')) return;
    deleted = true;
    small.broker.deleteVhost('own');
  });
  expect(deleted).toBe(true);
  expect(small.broker.core.line.underWay).toBe(false);
  expect(small.broker.vhosts.has('own')).toBe(false);
  expect(small.vhost.queues.size).toBe(COUNT / 2);
  expect(small.vhost.exchange('x').type).toBe('fanout');
});

test('passwords of users are hashed beside the event loop before anything is taken in', async () => {
  const small = new SmallBroker();
  const user = { name: 'u', password: 'secret', tags: [] };
  const [ready] = prepared(small, { users: [user] });
  const end = applyInSlices(small.broker, ready);
  await Promise.resolve();
  expect(small.broker.access.user('u')).toBe(null);
  await end;
  expect(small.broker.access.user('u')?.snapshot().hashingAlgorithm).toBe(HASHING_SCRYPT);
});
