// Who may open which vhost, and the limits of users and vhosts.
import { describe, expect, inject, it } from 'vitest';
import {
  channelClose,
  connectionClose,
  eventually,
  expectedFor,
  useBroker,
} from '../support/amqp.ts';
import type { Frame } from '../support/amqp-wire.ts';
import { PASSWORD } from './prepared.ts';

const broker = useBroker();
const tag = inject('preparedTag');
const prepared = (name: string): string => `conf-${name}-${tag}`;
const PLAIN = prepared('plain');

async function open(user: string, vhost: string, password = PASSWORD): Promise<Frame> {
  const raw = await broker.dial();
  return raw.open({ user: prepared(user), vhost, password });
}

describe.skipIf(tag === '')('a login', () => {
  it.each(['sha256', 'sha512', 'md5', 'all'])('works with a password kept as %s', async (user) => {
    expect((await open(user, PLAIN)).name).toBe('connection.open-ok');
    expect((await open(user, PLAIN, 'wrong')).name).toBe('connection.close');
    expect((await open(user, PLAIN)).name).toBe('connection.open-ok');
  });

  it.each(['', PASSWORD])('of a user without a password fails with %j', async (password) => {
    expect(await open('no-password', PLAIN, password)).toMatchObject({
      name: 'connection.close',
      replyCode: 403,
    });
  });

  it('with an empty password fails for everybody', async () => {
    expect(await open('all', PLAIN, '')).toMatchObject({ name: 'connection.close' });
  });
});

describe.skipIf(tag === '')('opening a vhost', () => {
  it('is refused without permissions there', async () => {
    const refused = (user: string, vhost: string) =>
      connectionClose(
        530,
        `NOT_ALLOWED - access to vhost '${vhost}' refused for user '${prepared(user)}'`,
        'connection.open',
      );
    expect(await open('stranger', PLAIN)).toMatchObject(refused('stranger', PLAIN));
    expect(await open('own', '/')).toMatchObject(refused('own', '/'));
    expect(await open('own', PLAIN)).toMatchObject({ name: 'connection.open-ok' });
  });

  it('is refused past the limit of the vhost, until a connection has gone', async () => {
    const vhost = prepared('one-connection');
    const raw = await broker.raw({ user: prepared('all'), password: PASSWORD, vhost });
    // RabbitMQ counts a connection a moment after it has opened.
    const reply = await eventually(async () => {
      const frame = await open('all', vhost);
      return frame.name === 'connection.close' && frame;
    });
    const text = `access to vhost '${vhost}' refused for user '${prepared('all')}'`;
    expect(reply).toMatchObject(
      connectionClose(
        530,
        `NOT_ALLOWED - ${text}: connection limit (1) is reached`,
        'connection.open',
      ),
    );
    await raw.close();
    await eventually(async () => (await open('all', vhost)).name === 'connection.open-ok');
  });

  it('is refused altogether where no connection is allowed', async () => {
    const vhost = prepared('no-connection');
    expect((await open('all', vhost))['replyText']).toContain('connection limit (0) is reached');
  });

  it('is refused past the limit of the user', async () => {
    const user = prepared('one-connection');
    await broker.raw({ user, password: PASSWORD, vhost: PLAIN });
    const reply = await eventually(async () => {
      const frame = await open('one-connection', PLAIN);
      return frame.name === 'connection.close' && frame;
    });
    const text = `connection refused for user '${user}': user connection limit (1) is reached`;
    expect(reply).toMatchObject(connectionClose(530, `NOT_ALLOWED - ${text}`, 'connection.open'));
  });
});

describe.skipIf(tag === '')('a user that may have two channels', () => {
  it('is cut off when it opens a third, on whichever connection', async () => {
    const options = { user: prepared('two-channels'), password: PASSWORD, vhost: PLAIN };
    const first = await broker.raw(options);
    const second = await broker.raw(options);
    const reply = await eventually(async () => {
      second.send(2, 'channel.open');
      const frame = await second.next(2);
      if (frame.name === 'connection.close') return frame;
      await second.call(2, 'channel.close', { replyCode: 200 });
      return false;
    });
    expect(reply).toMatchObject({
      replyCode: 530,
      replyText:
        `NOT_ALLOWED - number of channels opened for user '${options.user}' has reached ` +
        'the maximum allowed user limit of (2)',
    });
    await first.close();
  });
});

describe.skipIf(tag === '')('a vhost that may have one queue', () => {
  it('takes no second one, and lets the first be declared again', async () => {
    const vhost = prepared('one-queue');
    const raw = await broker.raw({ user: prepared('all'), password: PASSWORD, vhost });
    await raw.call(1, 'queue.declare', { queue: 'first' });
    const limit = `queue limit in vhost '${vhost}' (1) is reached`;
    expect(await raw.attempt('queue.declare', { queue: 'second' })).toMatchObject(
      channelClose(
        406,
        `PRECONDITION_FAILED - cannot declare queue 'second': ${limit}`,
        'queue.declare',
      ),
    );
    expect((await raw.attempt('queue.declare', { queue: 'first' })).name).toBe('queue.declare-ok');
    await raw.call(1, 'queue.delete', { queue: 'first' });
    expect((await raw.attempt('queue.declare', { queue: 'second' })).name).toBe('queue.declare-ok');
    await raw.call(1, 'queue.delete', { queue: 'second' });
  });
});

describe.skipIf(tag === '')(
  'a vhost whose queues are quorum queues unless they say otherwise',
  () => {
    it('makes durable queues such, and takes the type as given when they are declared again', async () => {
      const vhost = prepared('quorum');
      const raw = await broker.raw({ user: prepared('all'), password: PASSWORD, vhost });
      const plain = { queue: 'plain', durable: true };
      expect((await raw.attempt('queue.declare', plain)).name).toBe('queue.declare-ok');
      expect((await raw.attempt('queue.declare', plain)).name).toBe('queue.declare-ok');
      const typed = (type: string) => ({ ...plain, arguments: { 'x-queue-type': type } });
      expect((await raw.attempt('queue.declare', typed('quorum'))).name).toBe('queue.declare-ok');
      expect(await raw.attempt('queue.declare', typed('classic'))).toMatchObject({
        replyCode: 406,
      });
      const classic = { queue: 'classic', durable: true, arguments: { 'x-queue-type': 'classic' } };
      expect((await raw.attempt('queue.declare', classic)).name).toBe('queue.declare-ok');
    });

    it('leaves queues that cannot be such as they are', async () => {
      const vhost = prepared('quorum');
      const raw = await broker.raw({ user: prepared('all'), password: PASSWORD, vhost });
      for (const traits of [
        { durable: false },
        { durable: true, exclusive: true },
        { durable: true, autoDelete: true },
      ]) {
        const queue = broker.name('x');
        const reply = await raw.attempt('queue.declare', { queue, ...traits });
        expect(reply.name, JSON.stringify(traits)).toBe('queue.declare-ok');
      }
    });
  },
);

describe.skipIf(tag === '')('a vhost whose queues are streams unless they say otherwise', () => {
  const open = () =>
    broker.raw({ user: prepared('all'), password: PASSWORD, vhost: prepared('stream') });

  it('makes durable queues such, with what streams allow', async () => {
    const raw = await open();
    const where = `for queue 'plain' in vhost '${prepared('stream')}'`;
    const plain = { queue: 'plain', durable: true };
    const typed = (type: string) => ({ ...plain, arguments: { 'x-queue-type': type } });
    const odd = { ...plain, arguments: { 'x-message-ttl': 1 } };
    const text = `PRECONDITION_FAILED - invalid arg 'x-message-ttl' ${where} of queue type rabbit_stream_queue`;
    expect(await raw.attempt('queue.declare', odd)).toMatchObject({ replyText: text });
    for (const fields of [plain, plain, typed('stream')]) {
      expect((await raw.attempt('queue.declare', fields)).name).toBe('queue.declare-ok');
    }
    expect(await raw.attempt('queue.declare', typed('classic'))).toMatchObject({
      replyText: `PRECONDITION_FAILED - inequivalent arg 'x-queue-type' ${where}: received 'classic' but current is 'stream'`,
    });
    const nameless =
      'PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue';
    expect(await raw.attempt('queue.declare', { durable: true })).toMatchObject(
      expectedFor<object>({
        rabbitmq: { replyText: nameless },
        leveret: { name: 'queue.declare-ok' },
      }),
    );
  });

  it('leaves queues that cannot be such as they are', async () => {
    const raw = await open();
    for (const traits of [
      { durable: false },
      { durable: true, exclusive: true },
      { durable: true, autoDelete: true },
      { durable: false, queue: '' },
      { exclusive: true, queue: '' },
    ]) {
      const reply = await raw.attempt('queue.declare', { queue: broker.name('x'), ...traits });
      expect(reply.name, JSON.stringify(traits)).toBe('queue.declare-ok');
    }
  });
});
