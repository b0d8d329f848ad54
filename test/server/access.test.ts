// What changes of users, permissions and vhosts do to connections that are open.
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();
const ALL = { configure: '.*', write: '.*', read: '.*' };

/** A server with a user who may do anything in the vhost `team`. */
async function startWithApp(): Promise<TestServer> {
  const test = await start();
  const { broker } = test.server;
  broker.putVhost('team');
  broker.access.putUserNow({ name: 'app', tags: [] }, 'secret', 1);
  broker.access.setPermission({ user: 'app', vhost: 'team', ...ALL });
  return test;
}

const APP = { user: 'app', password: 'secret', vhost: 'team' };

describe('a login', () => {
  test('that needs a hash holds back what the client sends behind it, and then takes it', async () => {
    const test = await startWithApp();
    test.server.broker.access.login.forget('app');
    const raw = await test.dial();
    await raw.start();
    raw.write(
      Buffer.concat([
        encodeMethod(0, 'connection.start-ok', {
          clientProperties: {},
          mechanism: 'PLAIN',
          response: Buffer.from('\0app\0secret'),
          locale: 'en_US',
        }),
        encodeMethod(0, 'connection.tune-ok', { channelMax: 9, frameMax: 4096, heartbeat: 0 }),
        encodeMethod(0, 'connection.open', { virtualHost: 'team' }),
      ]),
    );
    expect((await raw.next()).name).toBe('connection.tune');
    expect((await raw.next()).name).toBe('connection.open-ok');
  });

  test('of a client that hangs up while its password is compared changes nothing', async () => {
    const test = await startWithApp();
    const raw = await test.dial();
    await raw.start();
    void raw.login({ user: 'app', password: 'wrong' }).catch(() => undefined);
    await eventually(() => test.server.broker.access.user('app') !== null);
    raw.drop();
    await eventually(() => test.connectionCount === 0, 'the end of the connection');
    await test.expectServing();
  });

  test('that is refused costs as much for a user that is not there', async () => {
    const test = await startWithApp();
    const timeOf = async (user: string): Promise<number> => {
      const raw = await test.dial();
      await raw.start();
      const startMs = performance.now();
      expect((await raw.login({ user, password: 'wrong' })).name).toBe('connection.close');
      return performance.now() - startMs;
    };
    expect(await timeOf('nobody')).toBeGreaterThan(5);
  });
});

describe('deleting', () => {
  test('a vhost ends its connections, and those alone', async () => {
    const test = await startWithApp();
    const inside = await test.open(APP);
    const outside = await test.open();
    await inside.call(1, 'queue.declare', { queue: 'q', durable: true });
    test.server.broker.deleteVhost('team');
    expect(await inside.next()).toMatchObject({
      name: 'connection.close',
      replyCode: 320,
      replyText: "CONNECTION_FORCED - vhost 'team' is deleted",
    });
    const { queue } = await outside.call(1, 'queue.declare', { exclusive: true });
    expect(queue).toMatch(/^amq\.gen-/);
    const again = await test.dial();
    expect(await again.open(APP)).toMatchObject({
      replyCode: 530,
      replyText: 'NOT_ALLOWED - vhost team not found',
    });
  });

  test('a user ends its connections, also one that has not opened a vhost yet', async () => {
    const test = await startWithApp();
    const open = await test.open(APP);
    const early = await test.dial();
    await early.start();
    expect((await early.login(APP)).name).toBe('connection.tune');
    test.server.broker.access.deleteUser('app');
    for (const raw of [open, early]) {
      expect(await raw.next()).toMatchObject({
        name: 'connection.close',
        replyCode: 320,
        replyText: "CONNECTION_FORCED - user 'app' is deleted",
      });
    }
  });

  test('a vhost while a consumer is fed and messages wait', async () => {
    const test = await startWithApp();
    const raw = await test.open(APP);
    await raw.call(1, 'queue.declare', { queue: 'q' });
    await raw.call(1, 'basic.consume', { queue: 'q' });
    for (let n = 0; n < 10; n++) raw.publish(1, { routingKey: 'q' }, {}, Buffer.from(`${n}`));
    await raw.message(1);
    test.server.broker.deleteVhost('team');
    await eventually(() => raw.unread().some((frame) => frame.name === 'connection.close'));
    expect(test.server.broker.vhosts.has('team')).toBe(false);
  });
});

describe('a change of permissions', () => {
  async function answerToPublish(raw: RawConnection, channel: number): Promise<string> {
    raw.publish(channel, { routingKey: 'q' });
    const reply = await raw.next(channel);
    if (reply.name === 'channel.close') raw.send(channel, 'channel.close-ok');
    return reply.name;
  }

  test('holds for the next publish to the very address of the last one', async () => {
    const test = await startWithApp();
    const raw = await test.open(APP);
    const { access } = test.server.broker;
    await raw.call(1, 'queue.declare', { queue: 'q' });
    await raw.call(1, 'confirm.select');
    for (let n = 0; n < 3; n++) expect(await answerToPublish(raw, 1)).toBe('basic.ack');
    access.setPermission({ user: 'app', vhost: 'team', ...ALL, write: '^other' });
    expect(await answerToPublish(raw, 1)).toBe('channel.close');
    await raw.openChannel(1);
    await raw.call(1, 'confirm.select');
    access.setPermission({ user: 'app', vhost: 'team', ...ALL });
    expect(await answerToPublish(raw, 1)).toBe('basic.ack');
    access.clearPermission('app', 'team');
    expect(await answerToPublish(raw, 1)).toBe('channel.close');
  });

  test('that takes topics away holds at once, too', async () => {
    const test = await startWithApp();
    const raw = await test.open(APP);
    const { access } = test.server.broker;
    await raw.call(1, 'confirm.select');
    raw.publish(1, { exchange: 'amq.topic', routingKey: 'a' });
    expect((await raw.next(1)).name).toBe('basic.ack');
    const topic = { user: 'app', vhost: 'team', exchange: 'amq.topic', write: '^b', read: '' };
    access.setTopicPermission(topic);
    raw.publish(1, { exchange: 'amq.topic', routingKey: 'a' });
    expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 403 });
  });

  test('of one user does not let another publish to an address that is remembered', async () => {
    const test = await startWithApp();
    const { access } = test.server.broker;
    access.setPermission({ user: 'guest', vhost: 'team', ...ALL, write: '^nothing' });
    const app = await test.open(APP);
    const guest = await test.open({ vhost: 'team' });
    await app.call(1, 'queue.declare', { queue: 'q' });
    await app.call(1, 'confirm.select');
    for (let n = 0; n < 3; n++) {
      expect(await answerToPublish(app, 1)).toBe('basic.ack');
      if (n > 0) await guest.openChannel(1);
      expect(await answerToPublish(guest, 1)).toBe('channel.close');
    }
  });
});

test('limits count connections that are open, and no others', async () => {
  const test = await startWithApp();
  const { broker } = test.server;
  broker.setVhostLimits('team', { 'max-connections': 2 });
  broker.access.setUserLimits('app', { 'max-connections': 1 });
  const first = await test.open(APP);
  const refusedBy = async (): Promise<unknown> =>
    (await (await test.dial()).open(APP))['replyText'];
  expect(await refusedBy()).toContain('user connection limit (1) is reached');
  await first.close();
  const second = await test.open(APP);
  second.drop();
  await eventually(async () => (await (await test.dial()).open(APP)).name === 'connection.open-ok');
  broker.access.setUserLimits('app', {});
  await test.open(APP);
  expect(await refusedBy()).toContain(': connection limit (2) is reached');
});
