// The directory of a cluster with several groups: one broker is made like another, and never goes back.

import { describe, expect, test } from 'vitest';
import { Broker } from '../../../src/broker/broker.ts';
import { directoryOf, readDirectory } from '../../../src/broker/directory/directory.ts';
import { followDirectory } from '../../../src/broker/directory/follow.ts';
import {
  type DirectoryVersion,
  standing,
  storedVersion,
} from '../../../src/broker/directory/version.ts';
import { View } from '../../../src/broker/view.ts';
import { parseAnswer } from '../../../src/util/json/json-input.ts';
import { jsonText } from '../../../src/util/json/json-writer.ts';
import { ControlledStore, Disk } from '../controlled-store.ts';

const VERSION: DirectoryVersion = { log: 'a', epoch: 3, count: 7 };

/** A broker of a group, with what it was told to end. */
function brokerOf(group: string, disk = new Disk()) {
  const ended: object[] = [];
  const listener = {
    turnWanted: () => {},
    durable: () => {},
    connectionsForced: (of: object) => ended.push(of),
  };
  const clock = { wallMs: () => 1, monotonicMs: () => 1 };
  const store = new ControlledStore(disk);
  const broker = new Broker(store, clock, listener, { group });
  broker.recover({ vhost: '/', user: null });
  return { broker, store, ended };
}

/** Has a broker follow another one, by what is sent between nodes. */
function follow(broker: Broker, from: Broker, version = VERSION): unknown[] {
  const directory = readDirectory(parseAnswer(jsonText(directoryOf(from))));
  const failed: unknown[] = [];
  followDirectory(
    broker,
    directory,
    version,
    () => Promise.resolve(),
    (error) => failed.push(error),
  );
  broker.core.seal();
  return failed;
}

function filled(): Broker {
  const { broker } = brokerOf('main');
  broker.access.putUserWithHash(
    { name: 'ada', tags: ['monitoring'] },
    '',
    'rabbit_password_hashing_sha256',
  );
  broker.access.setUserLimits('ada', { 'max-channels': 9 });
  broker.putVhost('shop', {
    description: 'd',
    tags: ['t'],
    tracing: true,
    defaultQueueType: 'quorum',
  });
  broker.setVhostLimits('shop', { 'max-queues': 4 });
  broker.access.setPermission({
    user: 'ada',
    vhost: 'shop',
    configure: 'c',
    write: 'w',
    read: 'r',
  });
  const topic = { user: 'ada', vhost: 'shop', exchange: 'amq.topic', write: 'w', read: 'r' };
  broker.access.setTopicPermission(topic);
  broker.globalParameters.set({ name: 'cluster_name', value: 'x' });
  return broker;
}

describe('following', () => {
  test('a group begins with nothing of its own', () => {
    const { broker } = brokerOf('jobs');
    expect(directoryOf(broker)).toEqual({
      users: [],
      vhosts: [],
      permissions: [],
      topicPermissions: [],
      globalParameters: [],
    });
  });

  test('takes all of it over, and again what has changed or gone, and keeps it over a restart', () => {
    const main = filled();
    const disk = new Disk();
    const { broker, store } = brokerOf('jobs', disk);
    expect(follow(broker, main)).toEqual([]);
    expect(directoryOf(broker)).toEqual(directoryOf(main));
    main.access.setUserTags('ada', []);
    main.access.clearTopicPermission('ada', 'shop');
    main.access.clearPermission('ada', 'shop');
    main.globalParameters.clear('cluster_name');
    main.putVhost('other');
    expect(follow(broker, main, { ...VERSION, count: 8 })).toEqual([]);
    expect(directoryOf(broker)).toEqual(directoryOf(main));
    main.access.deleteUser('ada');
    follow(broker, main, { ...VERSION, count: 9 });
    expect(directoryOf(broker)).toEqual(directoryOf(main));
    store.sync();
    const again = brokerOf('jobs', disk);
    expect(directoryOf(again.broker)).toEqual(directoryOf(main));
    expect(storedVersion(again.store)).toEqual({ ...VERSION, count: 9 });
  });

  test('changes nothing where nothing differs', () => {
    const main = filled();
    const { broker } = brokerOf('jobs');
    follow(broker, main);
    const told = broker.changes.told;
    follow(broker, main, { ...VERSION, count: 8 });
    expect(broker.changes.told).toBe(told);
  });

  test('what is refused is told, and the rest is taken over', () => {
    const { broker } = brokerOf('jobs');
    const directory = { ...directoryOf(filled()) };
    const bad = { user: 'none', vhost: 'shop', configure: '', write: '', read: '' };
    const failed: unknown[] = [];
    const permissions = [bad, ...directory.permissions];
    followDirectory(
      broker,
      { ...directory, permissions },
      VERSION,
      () => Promise.resolve(),
      (error) => failed.push(error),
    );
    expect(failed).toHaveLength(1);
    expect(broker.access.permissions()).toEqual(directory.permissions);
  });

  test('a group refuses to change by itself what it follows', async () => {
    const { broker } = brokerOf('jobs');
    follow(broker, filled());
    const view = new View(broker, '0');
    const words = "users and vhosts are changed in the group 'main' alone";
    expect(() => view.deleteUser('ada')).toThrow(words);
    expect(() => view.putVhost('new', {})).toThrow(words);
    expect(() => view.deleteVhost('shop')).toThrow(words);
    expect(() => view.setVhostLimits('shop', {})).toThrow(words);
    expect(() =>
      view.setParameter({ vhost: 'shop', component: 'vhost-limits', name: 'limits', value: {} }),
    ).toThrow();
    expect(() => view.setGlobalParameter('x', 1)).toThrow(words);
    expect(() =>
      view.importDefinitions({ users: [{ name: 'eve', tags: '', password: 'x' }] }),
    ).toThrow(words);
    await expect(view.addUser({ name: 'eve', tags: [] }, 'x')).rejects.toThrow(words);
    expect(directoryOf(broker)).toEqual(directoryOf(filled()));
  });
});

describe('places', () => {
  test('a vhost that is elsewhere is closed to clients and tools, and opens where it comes', () => {
    const { broker: main, ended } = brokerOf('main');
    const vhost = main.putVhost('shop');
    main.placeVhost('shop', {
      place: { group: 'main', since: '', moving: { to: 'jobs', id: 'm1' }, fault: '' },
    });
    expect(ended).toEqual([vhost]);
    expect(() => main.vhost('shop')).toThrow("vhost 'shop' is on its way to group 'jobs'");
    const queues = [{ name: 'q', vhost: 'shop', durable: true, auto_delete: false, arguments: {} }];
    expect(() => new View(main, '0').importDefinitions({ queues })).toThrow(
      "on its way to group 'jobs'",
    );
    main.placeVhost('shop', { place: { group: 'jobs', since: 'm1', moving: null, fault: '' } });
    expect(() => main.vhost('shop')).toThrow("vhost 'shop' is in group 'jobs' of this cluster");
    const { broker: jobs } = brokerOf('jobs');
    follow(jobs, main);
    expect(jobs.vhost('shop').name).toBe('shop');
    expect(() => jobs.vhost('/')).toThrow("vhost '/' is in group 'main'");
  });

  test('which group has it is known over a restart', () => {
    const disk = new Disk();
    const { broker, store } = brokerOf('main', disk);
    broker.putVhost('shop');
    const place = { group: 'jobs', since: 'm1', moving: null, fault: 'once' };
    broker.placeVhost('shop', { place, arrived: 'm0' });
    broker.core.seal();
    store.sync();
    const again = brokerOf('main', disk).broker.listed('shop');
    expect(again.metadata).toMatchObject({ place, arrived: 'm0' });
    expect(again.away).toEqual({ group: 'jobs', moving: false });
  });
});

test('a broker that is in no cluster has all vhosts that there are', () => {
  const disk = new Disk();
  const { broker, store } = brokerOf('jobs', disk);
  follow(broker, filled());
  const place = { group: 'jobs', since: 'm1', moving: { to: 'main', id: 'm2' }, fault: '' };
  broker.placeVhost('shop', { place });
  store.sync();
  broker.core.seal();
  store.sync();
  const alone = brokerOf('', disk).broker;
  expect(alone.vhost('shop').away).toBe(null);
  expect(alone.vhost('/').away).toBe(null);
  new View(alone, '0').deleteUser('ada');
  expect(brokerOf('', new Disk()).broker.vhost('/').name).toBe('/');
});

describe('versions', () => {
  test.each([
    [{ ...VERSION, count: 8 }, 'newer'],
    [{ ...VERSION, epoch: 4, count: 0 }, 'newer'],
    [VERSION, 'same'],
    [{ ...VERSION, count: 6 }, 'older'],
    [{ ...VERSION, epoch: 2, count: 99 }, 'older'],
    [{ ...VERSION, log: 'b', epoch: 99 }, 'foreign'],
  ] as const)('%j is %s', (version, expected) => {
    expect(standing(version, VERSION)).toBe(expected);
    expect(standing(version, null)).toBe('newer');
  });

  test.each([
    null,
    [],
    {},
    { users: [], vhosts: [], permissions: [], topicPermissions: [] },
    { users: [{}], vhosts: [], permissions: [], topicPermissions: [], globalParameters: [] },
    {
      users: [],
      vhosts: [{ name: 'x', description: '', defaultQueueType: 3 }],
      permissions: [],
      topicPermissions: [],
      globalParameters: [],
    },
    {
      users: [],
      vhosts: [{ name: 'x', description: '', defaultQueueType: null, place: 3 }],
      permissions: [],
      topicPermissions: [],
      globalParameters: [],
    },
  ])('%j is no directory', (value) => {
    expect(() => readDirectory(value)).toThrow();
  });
});
