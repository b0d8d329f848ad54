// Owns the tests of what is shown of a queue.

import { expect, test } from 'vitest';
import { Rates } from '../../../src/broker/stats/rates.ts';
import { rowOfQueue } from '../../../src/broker/view/rows.ts';
import { SmallBroker } from '../small-broker.ts';

test('a quorum queue says where its copies are, and a classic one does not', () => {
  const small = new SmallBroker();
  const type = { type: 'S', value: 'quorum' } as const;
  const quorum = small.declare('quorum', true, { 'x-queue-type': type });
  const classic = small.declare('classic', true);
  const row = rowOfQueue(small.vhost, quorum, new Rates());
  expect(row).toMatchObject({ leader: row.node, members: [row.node], online: [row.node] });
  expect(rowOfQueue(small.vhost, classic, new Rates())).not.toHaveProperty('members');
});

test('counts are shown as if waiting consumers had been served', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', false);
  small.consume(queue, 1);
  for (let n = 0; n < 3; n++) small.publish({ routingKey: 'q' });
  const row = rowOfQueue(small.vhost, queue, new Rates());
  expect(row).toMatchObject({ messages_ready: 2, messages_unacknowledged: 1 });
});
