// What a group does for another one that takes a vhost over, step by step.

import { expect, test } from 'vitest';
import type { GroupAround } from '../../../../src/boot/cluster/groups/group-around.ts';
import { Moves } from '../../../../src/boot/cluster/groups/moves.ts';
import { SmallBroker } from '../../../broker/small-broker.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A group whose vhost is to move to the group jobs, by the move `m1`. */
function group() {
  const { broker, vhost } = new SmallBroker();
  const moving = { to: 'jobs', id: 'm1' };
  broker.placeVhost(vhost.name, { place: { group: 'main', since: '', moving, fault: '' } });
  const asked: string[] = [];
  const held = { durable: () => {} };
  const around = {
    broker,
    group: 'main',
    timing: { every: () => () => {} },
    logger: { info: () => {} },
    durable: () => {
      asked.push('durable');
      return new Promise<void>((resolve) => {
        held.durable = resolve;
      });
    },
    snapshot: async () => {
      asked.push('snapshot');
      return 7;
    },
  };
  const moves = new Moves(around as unknown as GroupAround);
  return { moves, vhost, asked, held };
}

test('a vhost that leaves is copied once it is durable that it leaves', async () => {
  const { moves, vhost, asked, held } = group();
  const departing = moves.depart(vhost.name, 'm1');
  for (let n = 0; n < 5; n += 1) await turn();
  // A node that takes the lead now lets no clients in, or nothing was said to the other group.
  expect(asked).toEqual(['durable']);
  held.durable();
  expect(await departing).toBe('{"record":7}');
  expect(asked).toEqual(['durable', 'snapshot']);
});

test('a vhost is not copied for a move that is not known here, nor while it has clients', async () => {
  const { moves, vhost, asked } = group();
  expect(await moves.depart(vhost.name, 'm2')).toBe('{"later":true}');
  expect(await moves.depart('none', 'm1')).toBe('{"later":true}');
  vhost.connections = 1;
  expect(await moves.depart(vhost.name, 'm1')).toBe('{"later":true}');
  expect(asked).toEqual([]);
});
