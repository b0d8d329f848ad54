// Owns the tests of vhosts that are deleted step by step: what others see of them, and what a crash leaves.

import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { applyInSlices, prepareImport } from '../../../src/broker/definitions/import.ts';
import { TABLE_PAGES, TABLE_POLICIES } from '../../../src/store/tables.ts';
import { SmallBroker } from '../small-broker.ts';

const QUEUES = 60;
const NONE = new Map();
const TRAITS = { durable: true, autoDelete: false, arguments: NONE };

/** A broker with a vhost that has some of everything, where each queue that goes takes a part of a turn. */
function filled(): SmallBroker {
  const small = new SmallBroker();
  const { broker } = small;
  const vhost = broker.putVhost('old');
  broker.access.putUserWithHash({ name: 'u', tags: [] }, '', 'rabbit_password_hashing_sha256');
  broker.access.setPermission({ user: 'u', vhost: 'old', configure: '', write: '', read: '' });
  vhost.parameters.set({ component: 'c', name: 'p', value: 1 });
  vhost.as(ALL_RIGHTS).declareExchange({ name: 'x', type: 'direct', internal: false, ...TRAITS });
  for (let i = 0; i < QUEUES; i++) {
    const queue = vhost
      .as(ALL_RIGHTS, small)
      .declareQueue({ name: `q${i}`, owner: null, ...TRAITS });
    vhost.bindings.bind(vhost.exchange('x'), queue, `k${i}`, NONE);
  }
  small.declare('other');
  small.commit();
  broker.changes.listener = () => {
    small.nowMs += 1;
  };
  return small;
}

/** Begins the deletion; it is durable that the vhost goes. `over` says whether it is gone. */
async function begun(small: SmallBroker): Promise<{ over: boolean; end: Promise<void> }> {
  const deletion = { over: false, end: Promise.resolve() };
  const durable = async (): Promise<void> => small.commit();
  deletion.end = small.broker.vhostDeletions.inSteps('old', durable).then(() => {
    deletion.over = true;
  });
  await passed();
  return deletion;
}

async function passed(): Promise<void> {
  for (let n = 0; n < 10; n++) await Promise.resolve();
}

function expectNothingOf(small: SmallBroker): void {
  const { broker, disk } = small;
  expect([...broker.vhosts.keys()]).toEqual(['/']);
  expect(broker.vhostDeletions.vhosts).toEqual([]);
  expect(broker.access.permissions()).toEqual([]);
  expect(broker.access.rows.vhosts().map(({ name }) => name)).toEqual(['/']);
  expect(broker.definitionRows.vhosts()).toEqual(['/']);
  expect([disk.keys(TABLE_PAGES), disk.keys(TABLE_POLICIES)]).toEqual([[], []]);
  expect([...broker.vhost('/').queues.keys()]).toEqual(['other']);
}

test('a vhost with many queues goes a few of them in each turn, and is gone for all from the first', async () => {
  const small = filled();
  const { broker } = small;
  const vhost = broker.vhost('old');
  const deletion = await begun(small);
  expect(() => broker.vhost('old')).toThrow("no vhost 'old'");
  expect(() => broker.vhostDeletions.atOnce('old')).toThrow("no vhost 'old'");
  let turns = 0;
  for (; broker.core.slices.any; turns++) {
    expect(deletion.over).toBe(false);
    const before = vhost.queues.size;
    broker.core.deliver();
    expect([broker.core.line.underWay, broker.core.sealable]).toEqual([false, true]);
    expect(before - vhost.queues.size).toBeLessThan(10);
    small.commit();
    await passed();
  }
  expect(turns).toBeGreaterThan(QUEUES / 10);
  await deletion.end;
  expectNothingOf(small);
  expectNothingOf(small.crashed());
});

test('whenever the broker ends amid it, the next start goes on and sets nothing aside', async () => {
  let going = true;
  for (let turns = 0; going; turns++) {
    const small = filled();
    const vhost = small.broker.vhost('old');
    vhost
      .as(ALL_RIGHTS, small)
      .declareQueue({ name: 'passing', owner: null, ...TRAITS, durable: false });
    const held = vhost.queues.get('q7')!;
    small.nowMs += 1;
    await begun(small);
    for (let n = 0; n < turns; n++) {
      small.broker.core.deliver();
      small.commit();
    }
    going = small.broker.core.slices.any;
    const after = small.crashed();
    expect(after.broker.vhosts.has('old')).toBe(false);
    expect(after.broker.core.setAsideRows.count).toBe(0);
    expect(after.broker.vhostDeletions.vhosts.length).toBe(going ? 1 : 0);
    expect(after.broker.core.queueIds.take()).toBeGreaterThan(going && !held.deleted ? held.id : 0);
    after.run();
    expectNothingOf(after);
    expectNothingOf(after.crashed());
  }
});

test('a crash before it is durable that the vhost goes leaves all of it', async () => {
  const small = filled();
  void small.broker.vhostDeletions.inSteps('old', () => new Promise(() => {}));
  small.run();
  // What was sealed is the note that it goes: without that, nothing went.
  const lost = filled();
  void lost.broker.vhostDeletions.inSteps('old', () => new Promise(() => {}));
  expect(lost.crashed().broker.vhost('old').queues.size).toBe(QUEUES);
  expect(small.broker.vhostDeletions.vhosts[0]?.queues.size).toBe(QUEUES);
});

test('a vhost of that name that is made meanwhile has nothing of it, and stays', async () => {
  const small = filled();
  const deletion = await begun(small);
  small.broker.core.deliver();
  const made = small.broker.putVhost('old', { description: 'new' });
  made.as(ALL_RIGHTS, small).declareQueue({ name: 'own', owner: null, ...TRAITS });
  small.run();
  await deletion.end;
  for (const { broker } of [small, small.crashed()]) {
    const vhost = broker.vhost('old');
    expect([...vhost.queues.keys()]).toEqual(['own']);
    expect([vhost.exchanges.has('x'), vhost.metadata.description]).toEqual([false, 'new']);
    expect(broker.access.permissions()).toEqual([]);
  }
});

test('an import of a vhost that is being deleted comes after that', async () => {
  const small = filled();
  const { broker } = small;
  const deletion = await begun(small);
  broker.core.deliver();
  const going = broker.vhostDeletions.vhosts[0];
  const check = prepareImport(broker, { vhosts: [{ name: 'old' }] }, {});
  let step = check.next();
  while (step.done !== true) step = check.next();
  const imported = applyInSlices(broker, step.value);
  await passed();
  const sizeNow = (): number => going?.queues.size ?? 0;
  expect(sizeNow()).toBeGreaterThan(QUEUES / 2);
  for (let before = sizeNow(); !deletion.over; ) {
    const size = sizeNow();
    expect(before - size).toBeLessThan(10);
    before = size;
    expect(broker.vhosts.has('old')).toBe(false);
    broker.core.deliver();
    await Promise.resolve();
    if (!broker.core.slices.any) await deletion.end;
  }
  await passed();
  small.run();
  await imported;
  expect(broker.vhost('old').queues.size).toBe(0);
});

test('a clean stop amid it brings it to its end', async () => {
  const small = filled();
  const deletion = await begun(small);
  small.broker.core.deliver();
  const after = small.restarted();
  await deletion.end;
  expectNothingOf(after);
});
