// Methods that the broker answers for old clients' sake, and those that it refuses.
import { expect, it } from 'vitest';
import { connectionClose, useBroker } from '../support/amqp.ts';

const broker = useBroker();

it('answers access.request with a ticket that means nothing', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(1, 'access.request', { realm: '/data', active: true, read: true });
  expect(reply).toEqual({ name: 'access.request-ok', channel: 1, ticket: 1 });
});

it('does not implement immediate publishing', async () => {
  const raw = await broker.raw();
  raw.publish(1, { routingKey: 'x', immediate: true }, {}, Buffer.from('now'));
  expect(await raw.next()).toMatchObject(
    connectionClose(540, 'NOT_IMPLEMENTED - immediate=true', 'basic.publish'),
  );
});

it('does not implement a prefetch size', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'basic.qos', { prefetchSize: 7 })).toMatchObject(
    connectionClose(540, 'NOT_IMPLEMENTED - prefetch_size!=0 (7)', 'basic.qos'),
  );
});

it('does not implement recovery to the same consumer', async () => {
  for (const name of ['basic.recover', 'basic.recover-async']) {
    const raw = await broker.raw();
    expect(await raw.call(1, name, { requeue: false })).toMatchObject(
      connectionClose(540, 'NOT_IMPLEMENTED - requeue=false', name),
    );
  }
});
