// What a leader confirms that cannot renew its lease.

import { afterAll, expect, test } from 'vitest';
import { endpointOf, RawConnection } from '../../support/amqp-raw.ts';
import { TestCluster, type TestNode } from './support.ts';

const LEASE_MS = 2000;

const cluster = new TestCluster();
afterAll(() => cluster.close());

async function leaseAgeMs(node: TestNode): Promise<number> {
  const answer = await fetch(`${node.url('prometheus.tcp')}/metrics`);
  const [, seconds] = /^leveret_lease_age_seconds (\S+)/m.exec(await answer.text()) ?? [];
  return 1000 * Number(seconds);
}

test('a leader that is not sure that it leads still confirms nothing, also what needs no disk', async () => {
  const leader = await cluster.start('n1', { clusterLeaseMs: LEASE_MS, clusterRenewMs: 100 });
  await cluster.leader();
  const port = leader.port('listeners.tcp.default');
  const raw = await RawConnection.dial(endpointOf(`amqp://127.0.0.1:${port}`));
  expect(await raw.open()).toMatchObject({ name: 'connection.open-ok' });
  await raw.call(1, 'channel.open');
  await raw.call(1, 'confirm.select');
  await raw.call(1, 'queue.declare', { queue: 'q', exclusive: true });
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('before'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  leader.client.cut = true;
  await expect.poll(() => leaseAgeMs(leader), { timeout: 30_000 }).toBeGreaterThan(LEASE_MS);
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('after'));
  // Its turn has ended once the next one is answered.
  for (let turns = 0; turns < 3; turns += 1) {
    const declared = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
    expect(declared).toMatchObject({ name: 'queue.declare-ok', messageCount: 2 });
  }
  leader.client.cut = false;
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack' });
  raw.drop();
});
