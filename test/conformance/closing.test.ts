// The end of a connection, frame by frame: what answers a close, in which order and in which write, who
// ends the socket; and heartbeats on a connection that nothing else uses.
import { expect, it } from 'vitest';
import { eventually, useBroker } from '../support/amqp.ts';
import { encodeFrame, encodeMethod, HEARTBEAT } from '../support/amqp-wire.ts';

const broker = useBroker();
const CLOSE = encodeMethod(0, 'connection.close', { replyCode: 200, replyText: 'bye' });

/** Time in which an answer would come, were there one. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 500));

it('answers every connection.close, those of one write in one write', async () => {
  const raw = await broker.raw();
  const before = raw.chunks.length;
  raw.write(Buffer.concat([CLOSE, CLOSE, CLOSE]));
  const names = [await raw.next(), await raw.next(), await raw.next()].map(({ name }) => name);
  expect(names).toEqual(['connection.close-ok', 'connection.close-ok', 'connection.close-ok']);
  expect(raw.chunks.slice(before).flat()).toEqual(names);
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
});

it('leaves it to the client to end the socket after close-ok', async () => {
  const raw = await broker.raw();
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await quiet();
  expect(raw.closed).toBe(false);
  raw.socket.end();
  await raw.untilClosed();
});

it('gives up on a client that does not end the socket, after the heartbeat interval', async () => {
  const raw = await broker.raw({ heartbeat: 1 });
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await raw.untilClosed();
});

it('neither answers nor does what comes between close-ok and the end', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  raw.write(
    Buffer.concat([
      HEARTBEAT,
      encodeMethod(2, 'channel.open'),
      encodeMethod(1, 'queue.declare', { queue }),
      encodeFrame(3, 1, Buffer.from('a body of nothing')),
      CLOSE,
    ]),
  );
  expect((await raw.next()).name).toBe('connection.close-ok');
  await quiet();
  expect(raw.unread()).toEqual([]);
  const other = await broker.raw();
  expect(await other.attempt('queue.declare', { queue, passive: true })).toMatchObject({
    name: 'channel.close',
    replyCode: 404,
  });
});

it('ends the socket on a close-ok behind its own', async () => {
  const raw = await broker.raw();
  raw.write(CLOSE);
  await raw.next();
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
});

it('answers a close with the end of the stream behind it', async () => {
  const raw = await broker.dial({ halfOpen: true });
  await raw.open();
  raw.socket.end(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await raw.untilClosed();
});

it('answers closes after its own connection.close, and waits for close-ok', async () => {
  const raw = await broker.raw();
  raw.send(0, 'connection.open', { virtualHost: '/' });
  expect(await raw.next()).toMatchObject({ name: 'connection.close', replyCode: 504 });
  raw.write(Buffer.concat([CLOSE, CLOSE]));
  expect((await raw.next()).name).toBe('connection.close-ok');
  expect((await raw.next()).name).toBe('connection.close-ok');
  await quiet();
  expect(raw.closed).toBe(false);
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
});

it('answers a close after a refused login', async () => {
  const raw = await broker.dial();
  expect((await raw.open({ password: 'wrong' })).name).toBe('connection.close');
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await raw.untilClosed();
});

it('ends the socket behind its protocol header', async () => {
  const raw = await broker.dial({ halfOpen: true });
  raw.write(Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'));
  expect((await raw.next()).name).toBe('protocol header');
  expect((await raw.next()).name).toBe('socket closed');
});

it('takes a close-ok that answers nothing for an error', async () => {
  const raw = await broker.raw();
  raw.send(0, 'connection.close-ok');
  expect(await raw.next()).toMatchObject({ name: 'connection.close', replyCode: 504 });
});

it('gives back what a connection held before it answers the close', async () => {
  const raw = await broker.raw();
  const other = await broker.raw();
  const shared = broker.name();
  const own = broker.name();
  await other.call(1, 'queue.declare', { queue: shared });
  await raw.call(1, 'queue.declare', { queue: own, exclusive: true });
  await raw.call(1, 'basic.consume', { queue: shared, exclusive: true });
  other.publish(1, { routingKey: shared }, {}, Buffer.from('unacked'));
  await raw.message(1);
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  expect((await other.call(1, 'queue.declare', { queue: own })).name).toBe('queue.declare-ok');
  expect((await other.call(1, 'basic.consume', { queue: shared, exclusive: true })).name).toBe(
    'basic.consume-ok',
  );
  expect((await other.message(1)).method).toMatchObject({ redelivered: true });
  await other.call(1, 'queue.delete', { queue: own });
  await other.call(1, 'queue.delete', { queue: shared });
});

it('sends a heartbeat in each half of an interval in which it sends nothing else', async () => {
  const raw = await broker.raw({ heartbeat: 2 });
  const beat = setInterval(() => raw.heartbeat(), 500);
  const since = raw.chunks.length;
  await eventually(() => raw.heartbeats >= 4, 'four heartbeats');
  clearInterval(beat);
  expect(raw.chunks.slice(since)).toEqual(Array.from({ length: 4 }, () => ['heartbeat']));
});
