// From the protocol header to connection.open-ok: SASL, credentials, vhosts, and ways to fail.
import { expect, it } from 'vitest';
import { connectionClose, expectedFor, useBroker } from '../support/amqp.ts';
import type { OpenOptions } from '../support/amqp-raw.ts';
import { encodeTable } from '../support/amqp-wire.ts';

const broker = useBroker();
const REFUSED = 'For details see the broker logfile.';

it('opens a connection with PLAIN', async () => {
  const raw = await broker.dial();
  expect(await raw.open()).toMatchObject({ name: 'connection.open-ok', channel: 0 });
});

it('opens a connection with AMQPLAIN', async () => {
  const raw = await broker.dial();
  const { user, password } = raw.endpoint;
  const response = encodeTable({ LOGIN: user, PASSWORD: password }).subarray(4);
  const reply = await raw.open({ mechanism: 'AMQPLAIN', response });
  expect(reply.name).toBe('connection.open-ok');
});

it('answers a wrong protocol header with its own and closes the socket', async () => {
  for (const header of ['AMQP\x01\x01\x00\x0a', 'AMQP\x00\x00\x09\x02', 'GET / HTTP/1.1\r\n\r\n']) {
    const raw = await broker.dial();
    raw.write(Buffer.from(header, 'latin1'));
    expect(await raw.next()).toMatchObject({
      name: 'protocol header',
      bytes: Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]),
    });
    await raw.untilClosed();
  }
});

it('takes a protocol header that comes octet by octet', async () => {
  const raw = await broker.dial();
  for (const octet of [0x41, 0x4d, 0x51, 0x50, 0, 0, 9]) {
    raw.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  raw.write(Buffer.from([1]));
  expect((await raw.next()).name).toBe('connection.start');
});

it('refuses a wrong password with 403 where the client can take connection.close', async () => {
  const raw = await broker.dial();
  const reply = await raw.open({ password: 'wrong' });
  expect(reply).toMatchObject({
    name: 'connection.close',
    replyCode: 403,
    replyText: `ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. ${REFUSED}`,
    classId: 0,
    methodId: 0,
  });
});

it('refuses a wrong AMQPLAIN password under the name of that mechanism', async () => {
  const raw = await broker.dial();
  const response = encodeTable({ LOGIN: 'guest', PASSWORD: 'wrong' }).subarray(4);
  const reply = await raw.open({ mechanism: 'AMQPLAIN', response });
  expect(reply).toMatchObject({
    name: 'connection.close',
    replyCode: 403,
    replyText: `ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN. ${REFUSED}`,
  });
});

it('refuses PLAIN with an authorization identity, even that of the user', async () => {
  for (const identity of ['guest', 'other']) {
    const raw = await broker.dial();
    const reply = await raw.open({ response: Buffer.from(`${identity}\0guest\0guest`) });
    // RabbitMQ logs the reason and closes the socket three seconds later.
    expect(reply).toMatchObject(
      expectedFor<object>({
        rabbitmq: { name: 'socket closed' },
        leveret: { name: 'connection.close', replyCode: 502 },
      }),
    );
  }
});

it('refuses an unknown user as it does a wrong password', async () => {
  const raw = await broker.dial();
  const reply = await raw.open({ user: 'nobody-at-all' });
  expect(reply).toMatchObject({
    replyCode: 403,
    replyText: `ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. ${REFUSED}`,
  });
});

it('turns away clients that fail before the connection is open', async () => {
  const failing = async (options: OpenOptions) => (await broker.dial()).open(options);
  const early = async () => {
    const raw = await broker.dial();
    await raw.start();
    return raw.call(1, 'channel.open');
  };
  const [uncapable, mechanism, malformed, impatient] = await Promise.all([
    failing({ password: 'wrong', capabilities: {} }),
    failing({ mechanism: 'SCRAM-SHA-1' }),
    failing({ response: Buffer.from('guest guest') }),
    early(),
  ]);
  // A client that did not announce authentication_failure_close gets no frame at all.
  expect(uncapable.name).toBe('socket closed');
  // RabbitMQ logs the reason and closes the socket three seconds later.
  const text = "COMMAND_INVALID - unknown authentication mechanism 'SCRAM-SHA-1'";
  expect(mechanism).toMatchObject(
    expectedFor<object>({
      rabbitmq: { name: 'socket closed' },
      leveret: connectionClose(503, text, 'connection.start-ok'),
    }),
  );
  expect(['connection.close', 'socket closed']).toContain(malformed.name);
  expect(['connection.close', 'socket closed']).toContain(impatient.name);
});

it('refuses an unknown vhost with 530', async () => {
  const raw = await broker.dial();
  const reply = await raw.open({ vhost: 'no-such-vhost' });
  expect(reply).toMatchObject(
    connectionClose(530, 'NOT_ALLOWED - vhost no-such-vhost not found', 'connection.open'),
  );
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
});

it('answers connection.close with close-ok', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
  expect(reply).toEqual({ name: 'connection.close-ok', channel: 0 });
});

it('ignores everything but close-ok after it has sent connection.close', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(0, 'connection.open', { virtualHost: '/' });
  expect(reply.name).toBe('connection.close');
  raw.send(1, 'basic.qos', { prefetchCount: 1 });
  raw.send(2, 'channel.open');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  expect(raw.unread()).toEqual([]);
});

it('ends the socket on close-ok although the closes crossed', async () => {
  const raw = await broker.raw();
  raw.send(1, 'channel.open');
  raw.send(0, 'connection.close', { replyCode: 200 });
  expect((await raw.next()).name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
});

it('takes a new secret for a running connection', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(0, 'connection.update-secret', { newSecret: 'x', reason: 'why' });
  expect(reply.name).toBe('connection.update-secret-ok');
});
