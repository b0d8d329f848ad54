// Owns the tests of users with many permissions that are deleted step by step: what others see, and what a crash leaves.

import { expect, test } from 'vitest';
import { SmallBroker } from '../small-broker.ts';

const VHOSTS = 100;
const NONE = { configure: '', write: '', read: '' };

/** A broker with a user that has permissions in many vhosts, each of which takes a part of a turn to go. */
function filled(): SmallBroker {
  const small = new SmallBroker();
  const { broker } = small;
  add(small);
  for (let i = 0; i < VHOSTS; i++) {
    broker.putVhost(`v${i}`);
    broker.access.setPermission({ user: 'u', vhost: `v${i}`, ...NONE });
    const topic = { user: 'u', vhost: `v${i}`, exchange: 'x', write: '', read: '' };
    broker.access.setTopicPermission(topic);
  }
  small.commit();
  broker.changes.listener = () => {
    small.nowMs += 1;
  };
  return small;
}

function add({ broker }: SmallBroker): void {
  broker.access.putUserWithHash({ name: 'u', tags: [] }, '', 'rabbit_password_hashing_sha256');
}

function rightsOf({ broker: { access } }: SmallBroker): number {
  return access.permissions().length + access.topicPermissions().length;
}

/** Begins the deletion; returns whether it is over. */
function begin({ broker }: SmallBroker): () => boolean {
  let over = false;
  broker.core.slices.whole(broker.access.deletingUser('u'), () => {
    over = true;
  });
  return () => over;
}

test('a user with many permissions is known no more at once, and loses them a few in each turn', () => {
  const small = filled();
  const { broker } = small;
  const over = begin(small);
  expect(broker.access.user('u')).toBe(null);
  expect(() => broker.access.deletingUser('u')).toThrow("'u'");
  let turns = 0;
  for (; broker.core.slices.any; turns++) {
    expect([over(), broker.core.sealable, broker.core.line.underWay]).toEqual([
      false,
      false,
      false,
    ]);
    const crashed = small.crashed();
    expect([crashed.broker.access.user('u')?.name, rightsOf(crashed)]).toEqual(['u', 2 * VHOSTS]);
    const before = rightsOf(small);
    broker.core.deliver();
    expect(before - rightsOf(small)).toBeLessThan(70);
  }
  expect([over(), turns > 2]).toEqual([true, true]);
  small.commit();
  for (const each of [small, small.crashed()]) {
    expect([each.broker.access.user('u'), rightsOf(each)]).toEqual([null, 0]);
  }
});

test('a user of that name that is made meanwhile has none of them, and stays', () => {
  const small = filled();
  const over = begin(small);
  small.broker.core.deliver();
  add(small);
  expect(rightsOf(small)).toBe(0);
  small.broker.access.setPermission({ user: 'u', vhost: 'v0', ...NONE });
  small.run();
  expect(over()).toBe(true);
  for (const each of [small, small.crashed()]) {
    expect([each.broker.access.user('u')?.name, rightsOf(each)]).toEqual(['u', 1]);
  }
});
