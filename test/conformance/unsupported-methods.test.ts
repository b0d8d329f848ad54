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

it('does not implement immediate publishing of mandatory messages, or to a missing exchange', async () => {
  for (const fields of [{ mandatory: true }, { exchange: broker.name('x') }]) {
    const raw = await broker.raw();
    raw.publish(1, { routingKey: 'x', immediate: true, ...fields }, {}, Buffer.from('now'));
    expect(await raw.next()).toMatchObject(
      connectionClose(540, 'NOT_IMPLEMENTED - immediate=true', 'basic.publish'),
    );
  }
});

it('takes a new secret for a connection, which goes on as before', async () => {
  const raw = await broker.raw();
  const secret = { newSecret: 'not the password', reason: 'it was time' };
  expect(await raw.call(0, 'connection.update-secret', secret)).toEqual({
    name: 'connection.update-secret-ok',
    channel: 0,
  });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it.each(['connection.blocked', 'connection.unblocked', 'connection.open-ok', 'basic.get-empty'])(
  'does not expect %s on channel 0',
  async (name) => {
    const raw = await broker.raw();
    const text = 'CHANNEL_ERROR - unexpected method in connection state running';
    expect(await raw.call(0, name)).toMatchObject(connectionClose(504, text, name));
  },
);

it.each([
  ['connection.update-secret', { newSecret: 'x', reason: 'y' }],
  ['connection.blocked', { reason: 'x' }],
  ['confirm.select-ok', {}],
  ['tx.select-ok', {}],
  ['tx.commit-ok', {}],
  ['tx.rollback-ok', {}],
  ['basic.recover-ok', {}],
  ['basic.get-empty', {}],
])('has no use for %s on a channel', async (name, fields) => {
  const raw = await broker.raw();
  expect(await raw.call(1, name, fields)).toMatchObject(
    connectionClose(503, 'COMMAND_INVALID - unimplemented method', name),
  );
});
