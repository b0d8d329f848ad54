import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, test } from 'vitest';
import { StoreError } from '../../../../src/store/errors.ts';
import { LogFullError, TOLD_BYTES_MAX } from '../../../../src/store/replicated/log-client.ts';
import { checkMonitors, checkVersion } from '../../../../src/store/replicated/nats/checks.ts';
import { openNatsLog } from '../../../../src/store/replicated/nats/open.ts';
import { type NatsPlace, NO_LOGIN, namesOf } from '../../../../src/store/replicated/nats/place.ts';
import { NatsWay } from '../../../../src/store/replicated/nats/way.ts';
import { NATS_SERVER } from '../../../support/nats.ts';
import { withOneServer } from './one-server.ts';

const NOWHERE: NatsPlace = {
  servers: ['127.0.0.1:1'],
  login: NO_LOGIN,
  tls: null,
  cluster: 'test',
  group: 'main',
  secretOf: 'main',
  node: 'n1',
  replicas: 1,
  logBytesMax: 2 ** 20,
  monitor: [],
  requireSync: true,
};

describe('versions of the servers', () => {
  it.each(['2.9.10', '2.10.22', '1.99.99'])('refuses %s', (version) => {
    expect(() => checkVersion('n0', version)).toThrow(StoreError);
    expect(() => checkVersion('n0', version)).toThrow(`n0 of the log is nats-server ${version}`);
  });

  it.each(['2.10.23', '2.10.27', '2.11.0', '2.12.2'])('warns of %s', (version) => {
    expect(checkVersion('n0', version)).toContain('install nats-server 2.12.3 or later');
  });

  it.each(['2.12.3', '2.12.4', '2.15.1', '3.0.0', 'dev'])('has nothing against %s', (version) => {
    expect(checkVersion('n0', version)).toBeNull();
  });
});

describe('what the monitoring ports say', () => {
  const machines: Server[] = [];
  afterEach(() => {
    for (const each of machines.splice(0)) each.close();
  });

  /** A monitoring port that answers so; its `host:port`. */
  async function monitor(varz: string, jsz: string): Promise<string> {
    const machine = createServer(({ url }, response) => response.end(url === '/varz' ? varz : jsz));
    machines.push(machine);
    await new Promise<void>((resolve) => machine.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(machine.address() as AddressInfo).port}`;
  }

  const varz = (name: string, version: string): string =>
    `{"server_name":"${name}","version":"${version}"}`;
  const SYNCS = '{"config":{"sync_always":true}}';
  const SYNCS_NOT = '{"config":{"sync_interval":120000000000}}';

  const check = (monitors: string[], requireSync = true) =>
    checkMonitors({ ...NOWHERE, monitor: monitors, requireSync });

  it('says that nothing is known where there are none', async () => {
    const { syncs, warnings } = await check([]);
    expect(syncs).toBeNull();
    expect(warnings.join()).toContain('cluster.nats.monitor');
  });

  it('is content where all sync', async () => {
    const monitors = [await monitor(varz('n0', '2.12.4'), SYNCS)];
    monitors.push(await monitor(varz('n1', '2.15.1'), SYNCS));
    expect(await check(monitors)).toEqual({ syncs: true, warnings: [] });
  });

  it('refuses one that does not sync, or warns of it where that is allowed', async () => {
    const monitors = [await monitor(varz('n0', '2.12.4'), SYNCS)];
    monitors.push(await monitor(varz('n1', '2.12.4'), SYNCS_NOT));
    await expect(check(monitors)).rejects.toThrow(/^the server n1 .*does not sync.*sync_interval/);
    await expect(check(monitors)).rejects.toThrow(StoreError);
    const { syncs, warnings } = await check(monitors, false);
    expect(syncs).toBe(false);
    expect(warnings).toHaveLength(1);
  });

  it('refuses an old one, though this node is not connected to it', async () => {
    const monitors = [await monitor(varz('n2', '2.9.10'), SYNCS)];
    await expect(check(monitors)).rejects.toThrow('n2 of the log is nats-server 2.9.10');
  });

  it.each([
    ['no JSON', 'hello', 'hello'],
    ['too much', ' '.repeat(2 ** 20 + 1), SYNCS],
  ])('warns where one answers with %s', async (_, about, jetStream) => {
    const { syncs, warnings } = await check([await monitor(about, jetStream), '127.0.0.1:1']);
    expect(syncs).toBeNull();
    expect(warnings).toHaveLength(2);
  });
});

test.each(['', 'a.b', 'a b', 'ä', 'x'.repeat(65)])('refuses %j as a name', (cluster) => {
  expect(() => namesOf({ ...NOWHERE, cluster })).toThrow(StoreError);
});

test('says which servers cannot be reached, and which file cannot be read', async () => {
  await expect(openNatsLog(NOWHERE)).rejects.toThrow(/^no server .* at 127\.0\.0\.1:1: .*NATS/);
  const place = { ...NOWHERE, login: { ...NO_LOGIN, credentials: '/nowhere/x.creds' } };
  await expect(openNatsLog(place)).rejects.toThrow('see cluster.nats.credentials');
  await expect(openNatsLog(place)).rejects.toThrow(StoreError);
});

/** Warnings but for the one of a server that is not new: that of Debian is good enough for these tests. */
const othersThanOld = (warnings: readonly string[] = []): string[] =>
  warnings.filter((each) => !each.includes('install nats-server'));

describe.skipIf(NATS_SERVER === null)('opening a log on NATS', () => {
  const server = withOneServer();
  const ways: NatsWay[] = [];
  afterEach(async () => {
    for (const each of ways.splice(0)) await each.close();
  });

  /** Makes a stream by hand, set as Leveret sets it but for what is said. */
  async function make(place: NatsPlace, kind: 'log' | 'lease', other: object): Promise<void> {
    const way = await NatsWay.open(place);
    ways.push(way);
    const name = namesOf(place)[kind];
    const settings = {
      name,
      subjects: [name],
      storage: 'file',
      num_replicas: 1,
      ...(kind === 'log' ? { discard: 'new', deny_delete: true } : { max_msgs: 1 }),
      ...other,
    };
    await way.call(`STREAM.CREATE.${name}`, JSON.stringify(settings));
  }

  it('gives one log to nodes that open it at the same moment', async () => {
    const place = server.newPlace();
    const logs = await Promise.all([1, 2, 3, 4].map(() => server.open(place)));
    const ids = await Promise.all(logs.map(async (log) => (await log.state()).id));
    expect(new Set(ids).size).toBe(1);
    expect(new Set(logs.map(({ secret }) => secret)).size).toBe(1);
    expect(logs[0]?.secret).toMatch(/^[0-9a-f]{64}$/);
    expect(othersThanOld(logs[0]?.warnings)).toEqual([]);
  });

  it('gives other names to other logs', async () => {
    const one = await server.open(server.newPlace());
    const two = await server.open(server.newPlace());
    expect((await one.state()).id).not.toBe((await two.state()).id);
    expect(one.secret).not.toBe(two.secret);
  });

  it.each([
    ['log', { discard: 'old' }, 'discard = "old"'],
    ['log', { max_age: 60_000_000_000 }, 'max_age = 60000000000'],
    ['log', { max_msgs: 100 }, 'max_msgs = 100'],
    ['log', { storage: 'memory' }, 'storage = "memory"'],
    ['log', { retention: 'workqueue' }, 'retention = "workqueue"'],
    ['log', { deny_delete: false }, 'deny_delete = '],
    ['log', { subjects: ['a.>'] }, 'subjects = ["a.>"]'],
    ['log', {}, 'was not made by Leveret'],
    ['lease', { max_msgs: -1 }, 'max_msgs = -1'],
    ['lease', { storage: 'memory' }, 'storage = "memory"'],
  ] as const)('refuses a stream of the %s with %j', async (kind, other, text) => {
    const place = server.newPlace();
    await make(place, kind, other);
    await expect(openNatsLog(place)).rejects.toThrow(text);
    await expect(openNatsLog(place)).rejects.toThrow(StoreError);
  });

  it('refuses one that fewer servers keep than was asked for', async () => {
    const place = server.newPlace();
    await server.open(place);
    const opened = openNatsLog({ ...place, replicas: 3 });
    await expect(opened).rejects.toThrow('has 1 replicas, and cluster.replicas is 3');
  });

  it('says so where the servers cannot keep as many copies', async () => {
    const opened = openNatsLog(server.newPlace({ replicas: 3 }));
    await expect(opened).rejects.toThrow(/^NATS has not made the streams of the log: .*replicas/);
  });

  it('gives a log more room where more is configured, and never less', async () => {
    const place = server.newPlace({ logBytesMax: 2 ** 20 });
    const log = await server.open(place);
    const { id } = await log.state();
    const more = await server.open({ ...place, logBytesMax: 2 ** 21 });
    expect(await log.state()).toMatchObject({ id, bytesMax: 2 ** 21 });
    expect(othersThanOld(more.warnings)).toEqual([]);
    const less = await server.open(place);
    expect(await less.state()).toMatchObject({ id, bytesMax: 2 ** 21 });
    expect(less.warnings.join()).toContain('a node never lowers it');
  });

  it('says that the log is full, and takes records again once there is room', async () => {
    const log = await server.open(server.newPlace({ logBytesMax: 2 ** 20 }));
    const record = Buffer.alloc(400 * 1024);
    await log.append([record], 0);
    await log.append([record], 1);
    await expect(log.append([record], 2)).rejects.toThrow(LogFullError);
    expect((await log.state()).last).toBe(2);
    await log.purge(2);
    expect(await log.append([record], 2)).toBe(3);
  });

  it('tells all nodes what one tells', async () => {
    const place = server.newPlace();
    const [one, two] = [await server.open(place), await server.open(place)];
    const other = await server.open(server.newPlace());
    const told: string[] = [];
    const stop = two.onTold((part, bytes) => told.push(`${part}: ${bytes}`));
    one.onTold((part, bytes) => told.push(`itself ${part}: ${bytes}`));
    // What is not yet subscribed to is not heard: it is told until it is.
    await expect
      .poll(() => {
        other.tell('n0', Buffer.from('of another log'));
        one.tell('n1', Buffer.from('here'));
        return [...new Set(told)].sort();
      })
      .toEqual(['itself n1: here', 'n1: here']);
    stop();
    one.tell('n2', Buffer.from('later'));
    await expect.poll(() => told.includes('itself n2: later')).toBe(true);
    expect(told).not.toContain('n2: later');
  });

  it('tells no more than has room, and nothing under an odd name', async () => {
    const log = await server.open(server.newPlace());
    expect(() => log.tell('n1', Buffer.alloc(TOLD_BYTES_MAX + 1))).toThrow(RangeError);
    expect(() => log.tell('a.b', Buffer.alloc(1))).toThrow(RangeError);
    expect(() => log.tell('', Buffer.alloc(1))).toThrow(RangeError);
  });

  it('says how the log is kept', async () => {
    const log = await server.open(server.newPlace());
    expect(await log.facts()).toMatchObject({
      server: 'n0',
      leader: 'n0',
      replicas: [{ name: 'n0', current: true, lag: 0 }],
      syncs: true,
    });
  });
});
