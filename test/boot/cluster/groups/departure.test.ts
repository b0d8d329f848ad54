// What a group does for another one that takes a vhost over, step by step.

import { expect, test } from 'vitest';
import type { GroupAround } from '../../../../src/boot/cluster/groups/group-around.ts';
import { GroupTerm } from '../../../../src/boot/cluster/groups/group-term.ts';
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
  return { moves, vhost, asked, held, around: around as unknown as GroupAround };
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

test('a group that asks a leader which leads no longer is told at once, and can ask the next one', async () => {
  const { around, asked, vhost } = group();
  const term = new GroupTerm(around, () => {});
  const given = new URLSearchParams({ vhost: vhost.name, move: 'm1' });
  const departing = term.call('/departure', given);
  expect(asked).toEqual(['durable']);
  term.stop();
  await expect(departing).rejects.toThrow('this node leads no longer');
  await expect(term.call('/departure', given)).rejects.toThrow('this node leads no longer');
  expect(asked).toEqual(['durable']);
});
