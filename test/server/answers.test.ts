import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Outbox } from '../../src/server/wire/outbox.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { publication } from './scripted.ts';
import { privately, type TestServer, useServers } from './support.ts';

const start = useServers();

const HIGH_WATERMARK = 256 * 1024;
/** Answers may take more than deliveries, but not without end. */
const WAITING_MAX = 8 * HIGH_WATERMARK;
const BODY = Buffer.alloc(15_000, 'body');
const COUNT = 1500;

// Who asks without end and takes no answer is not listened to until the answers have left.

function waitingMost(broker: TestServer): number {
  const { connections } = privately<{ connections: Set<{ outbox: Outbox }> }>(broker.server);
  return Math.max(0, ...[...connections].map(({ outbox }) => outbox.waitingBytes));
}

test.each([
  ['basic.get', 'basic.get-ok', encodeMethod(1, 'basic.get', { queue: 'q' })],
  [
    'mandatory publishes',
    'basic.return',
    publication(1, { routingKey: 'nowhere', mandatory: true }, {}, BODY, 131_064),
  ],
])('the answers to %s take bounded memory, and none is lost', async (_what, name, question) => {
  const broker = await start({ outboxHighWatermarkBytes: HIGH_WATERMARK });
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, {}, BODY);
  raw.socket.pause();
  const back = encodeMethod(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
  let most = 0;
  for (let i = 0; i < COUNT; i++) {
    raw.write(Buffer.concat([question, back]));
    if (i % 5 !== 0) continue;
    await turn();
    most = Math.max(most, waitingMost(broker));
  }
  for (let i = 0; i < 50; i++) await turn();
  expect(Math.max(most, waitingMost(broker))).toBeLessThan(WAITING_MAX);
  await broker.expectServing();
  raw.socket.resume();
  for (let i = 0; i < COUNT; i++) {
    const { method, body } = await raw.message(1);
    expect(method.name).toBe(name);
    if (!body.equals(BODY)) throw new Error(`answer ${i} is damaged`);
  }
  expect((await raw.call(1, 'basic.qos', {})).name).toBe('basic.qos-ok');
});
