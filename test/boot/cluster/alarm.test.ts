// What clients and operators see of a log that is nearly full.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { endpointOf, RawConnection } from '../../support/amqp-raw.ts';
import { TestCluster, type TestNode } from './support.ts';

const PATIENCE = { timeout: 60_000 };

const cluster = new TestCluster();
let leader: TestNode;

beforeAll(async () => {
  await cluster.start('n1', { memoryIntervalMs: 500 });
  leader = await cluster.leader();
});
afterAll(() => cluster.close());

const health = async (check: string): Promise<unknown> => {
  const { status, json } = await leader.call('GET', `/health/checks/${check}`);
  return [status, json.alarms];
};

/** What the node tells of the log in its row, its metrics and to the web UI. */
async function told(): Promise<unknown> {
  const [{ log_alarm, mem_alarm }] = (await leader.call('GET', '/nodes')).json;
  const text = await (await fetch(`${leader.url('prometheus.tcp')}/metrics`)).text();
  const { alarms } = (await leader.call('GET', '/leveret/status')).json;
  const metric = /^leveret_log_alarm (\d)$/m.exec(text)?.[1];
  return { log_alarm, mem_alarm, metric, alarms };
}

test('at four fifths of the log publishers are blocked, until trimming has made room', async () => {
  await expect.poll(told, PATIENCE).toMatchObject({ log_alarm: false, metric: '0', alarms: [] });
  const { log } = cluster;
  const raw = await RawConnection.dial(
    endpointOf(`amqp://127.0.0.1:${leader.port('listeners.tcp.default')}`),
  );
  const capabilities = { authentication_failure_close: true, 'connection.blocked': true };
  await raw.open({ capabilities });
  await raw.openChannel(1);
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.call(1, 'confirm.select');
  log.bytesMax = 1_000_000;
  log.bytes = 820_000;
  const alarms = [{ node: 'leveret@n1', resource: 'log' }];
  await expect.poll(() => health('alarms'), PATIENCE).toEqual([503, alarms]);
  expect(await health('local-alarms')).toEqual([503, alarms]);
  expect(await told()).toEqual({
    log_alarm: true,
    mem_alarm: false,
    metric: '1',
    alarms: [{ resource: 'log', used: expect.any(Number), limit: 800_000 }],
  });
  raw.publish(1, { routingKey: 'q' }, { deliveryMode: 2 }, Buffer.from('x'));
  expect(await raw.next(0)).toMatchObject({ name: 'connection.blocked', reason: 'low on log' });
  // What is needed to get out of it goes on: a change that is no publish becomes durable.
  expect((await leader.call('PUT', '/queues/%2F/other', undefined, { durable: true })).status).toBe(
    201,
  );
  log.bytes = 600_000;
  expect((await raw.next(0)).name).toBe('connection.unblocked');
  expect((await raw.next(1)).name).toBe('basic.ack');
  expect(await health('alarms')).toEqual([200, undefined]);
  await raw.close();
});
