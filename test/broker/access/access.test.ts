import { describe, expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { HASHING_SCRYPT } from '../../../src/broker/access/password.ts';
import type { User } from '../../../src/broker/access/user.ts';
import { Broker } from '../../../src/broker/broker.ts';
import { Refusal } from '../../../src/broker/errors.ts';
import { finish } from '../../../src/broker/turn/slices.ts';
import { ControlledStore, Disk } from '../controlled-store.ts';

const ALL = { configure: '.*', write: '.*', read: '.*' };
const SHA256 = 'rabbit_password_hashing_sha256';
const HASH = Buffer.alloc(36, 7).toString('base64');
const NOTHING = new Map();

/** A broker over a disk that survives it. */
class Kept {
  readonly disk: Disk;
  readonly store: ControlledStore;
  readonly broker: Broker;
  readonly forced: [of: object, reason: string][] = [];

  constructor(disk = new Disk()) {
    this.disk = disk;
    this.store = new ControlledStore(disk);
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    this.broker = new Broker(this.store, clock, {
      turnWanted: () => {},
      durable: () => {},
      connectionsForced: (of, reason) => this.forced.push([of, reason]),
    });
    const user = { name: 'guest', password: 'guest', tags: ['administrator'], logCost: 1 };
    this.broker.recover({ vhost: '/', user: { ...user, permission: ALL } });
  }

  get access(): Broker['access'] {
    return this.broker.access;
  }

  /** A new broker on what is on the disk after all so far is committed. */
  restarted(): Kept {
    this.broker.core.seal();
    this.store.sync();
    return new Kept(this.disk);
  }

  addUser(name: string, ...tags: string[]): void {
    this.access.putUserWithHash({ name, tags }, HASH, SHA256);
  }
}

describe('the first start', () => {
  test('makes the user and the vhost, with permissions', () => {
    const { broker, access } = new Kept();
    expect([...broker.vhosts.keys()]).toEqual(['/']);
    expect(access.users()).toMatchObject([
      { name: 'guest', tags: ['administrator'], hashingAlgorithm: HASHING_SCRYPT, limits: {} },
    ]);
    expect(access.permissions()).toEqual([{ user: 'guest', vhost: '/', ...ALL }]);
  });

  test('is not made up for when all users are gone but a vhost is there, or the other way', () => {
    const first = new Kept();
    first.access.deleteUser('guest');
    const second = first.restarted();
    expect(second.access.users()).toEqual([]);
    second.addUser('app');
    second.broker.deleteVhost('/');
    const third = second.restarted();
    expect([...third.broker.vhosts.keys()]).toEqual([]);
    expect(third.access.users()).toMatchObject([{ name: 'app' }]);
  });
});

describe('users', () => {
  test('are what they were after a restart', () => {
    const kept = new Kept();
    kept.addUser('app', 'monitoring', 'own tag', 'monitoring');
    kept.access.setUserLimits('app', { 'max-connections': 5, 'max-channels': -1 });
    const expected = {
      name: 'app',
      passwordHash: HASH,
      hashingAlgorithm: SHA256,
      tags: ['monitoring', 'own tag'],
      limits: { 'max-connections': 5, 'max-channels': -1 },
    };
    expect(kept.access.users()[0]).toEqual(expected);
    const again = kept.restarted();
    expect(again.access.users()[0]).toEqual(expected);
    expect(again.access.users()[1]).toEqual(kept.access.users()[1]);
    const user = again.access.user('app');
    expect(user?.has('monitoring')).toBe(true);
    expect(user?.has('administrator')).toBe(false);
    expect(again.access.user('nobody')).toBeNull();
  });

  test('stay the same object when they change, with limits that are kept unless given', () => {
    const { access } = new Kept();
    const guest = access.user('guest');
    access.setUserLimits('guest', { 'max-channels': 7 });
    access.putUserWithHash({ name: 'guest', tags: [] }, HASH, SHA256);
    expect(access.user('guest')).toBe(guest);
    expect(guest).toMatchObject({ tags: [], passwordHash: HASH, limits: { 'max-channels': 7 } });
    access.setUserTags('guest', ['policymaker']);
    access.putUserWithHash({ name: 'guest', tags: ['x'], limits: {} }, HASH, SHA256);
    expect(guest).toMatchObject({ tags: ['x'], limits: {} });
  });

  test('get a new password, or none', async () => {
    const { access } = new Kept();
    await access.setPassword('guest', 'changed');
    const login = (password: string) => access.login.byPassword('guest', password, '127.0.0.1');
    expect((await login('guest')).user).toBeNull();
    expect((await login('changed')).user).toBe(access.user('guest'));
    expect(access.user('guest')?.tags).toEqual(['administrator']);
    access.clearPassword('guest');
    expect((await login('changed')).user).toBeNull();
    expect((await login('')).user).toBeNull();
  });

  test('that are deleted take their permissions along and are told of', () => {
    const kept = new Kept();
    kept.addUser('app');
    kept.access.setPermission({ user: 'app', vhost: '/', ...ALL });
    kept.access.setTopicPermission({ user: 'app', vhost: '/', exchange: 'x', write: '', read: '' });
    const user = kept.access.user('app') as User;
    const grants = kept.access.grants(user, '/');
    kept.access.deleteUser('app');
    expect(kept.forced).toEqual([[user, "user 'app' is deleted"]]);
    expect(grants.admitted).toBe(false);
    for (const { access } of [kept, kept.restarted()]) {
      expect(access.users().map(({ name }) => name)).toEqual(['guest']);
      expect(access.permissions().map((each) => each.user)).toEqual(['guest']);
      expect(access.topicPermissions()).toEqual([]);
    }
  });

  test.each([
    ['an empty name', (kept: Kept) => kept.addUser(''), 'must not be empty'],
    ['a long name', (kept: Kept) => kept.addUser('x'.repeat(256)), 'longer than 255 bytes'],
    ['an empty tag', (kept: Kept) => kept.addUser('a', ''), 'is no tag'],
    ['a tag with a comma', (kept: Kept) => kept.addUser('a', 'b,c'), 'is no tag'],
    [
      'a limit of another name',
      (kept: Kept) => kept.access.setUserLimits('guest', { 'max-queues': 1 }),
      'expected max-connections or max-channels',
    ],
    [
      'a limit that is no number',
      (kept: Kept) => kept.access.setUserLimits('guest', { 'max-channels': '1' }),
      'must be a whole number',
    ],
    ['nobody', (kept: Kept) => kept.access.deleteUser('nobody'), "no user 'nobody'"],
    ['nobody', (kept: Kept) => kept.access.setUserTags('nobody', []), "no user 'nobody'"],
  ])('with %s are refused, and nothing changes', (_what, act, fault) => {
    const kept = new Kept();
    const before = kept.access.users();
    expect(() => act(kept)).toThrow(Refusal);
    expect(() => act(kept)).toThrow(fault);
    expect(kept.access.users()).toEqual(before);
    expect(kept.restarted().access.users()).toEqual(before);
  });
});

describe('permissions', () => {
  test('are what they were after a restart, in order', () => {
    const kept = new Kept();
    kept.broker.putVhost('b');
    kept.addUser('app');
    const first = { user: 'app', vhost: '/', configure: '^a', write: '', read: '(?i)x' };
    const second = { user: 'app', vhost: 'b', ...ALL };
    kept.access.setPermission(second);
    kept.access.setPermission(first);
    const topic = { user: 'app', vhost: 'b', exchange: 'x', write: '{username}', read: '.' };
    kept.access.setTopicPermission(topic);
    for (const { access } of [kept, kept.restarted()]) {
      expect(access.permissionsOf('app')).toEqual([first, second]);
      expect(access.permissions()).toHaveLength(3);
      expect(access.topicPermissions()).toEqual([topic]);
      expect(access.permissionsOf('nobody')).toEqual([]);
    }
  });

  test('hold for grants that are in use, and make remembered routes stale', () => {
    const { access, broker } = new Kept();
    const guest = access.user('guest') as User;
    const grants = access.grants(guest, '/');
    expect(access.grants(guest, '/')).toBe(grants);
    const { router } = broker.vhost('/');
    for (const change of [
      () => access.setPermission({ user: 'guest', vhost: '/', ...ALL, read: '^a' }),
      () => access.clearPermission('guest', '/'),
      () =>
        access.setTopicPermission({
          user: 'guest',
          vhost: '/',
          exchange: 'x',
          write: '.',
          read: '.',
        }),
      () => access.clearTopicPermission('guest', '/'),
    ]) {
      const { topology } = router;
      change();
      expect(router.topology).toBeGreaterThan(topology);
    }
    expect(grants.admitted).toBe(false);
  });

  test('are gone for good when they are cleared', () => {
    const kept = new Kept();
    const topic = { user: 'guest', vhost: '/', write: '', read: '' };
    for (const exchange of ['x', 'y', 'z']) kept.access.setTopicPermission({ ...topic, exchange });
    kept.access.clearTopicPermission('guest', '/', 'y');
    const again = kept.restarted();
    expect(again.access.topicPermissions().map(({ exchange }) => exchange)).toEqual(['x', 'z']);
    again.access.clearTopicPermission('guest', '/');
    again.access.clearPermission('guest', '/');
    const last = again.restarted();
    expect(last.access.topicPermissions()).toEqual([]);
    expect(last.access.permissions()).toEqual([]);
  });

  test.each([
    [{ user: 'nobody', vhost: '/', ...ALL }, "no user 'nobody'"],
    [{ user: 'guest', vhost: 'none', ...ALL }, "no vhost 'none'"],
    [{ user: 'guest', vhost: '/', ...ALL, write: '^(' }, 'not a valid regular expression'],
  ])('such as %j are refused, and nothing changes', (permission, fault) => {
    const { access } = new Kept();
    expect(() => access.setPermission(permission)).toThrow(Refusal);
    expect(() => access.setPermission(permission)).toThrow(fault);
    const topic = { ...permission, exchange: 'x' };
    expect(() => access.setTopicPermission(topic)).toThrow(fault);
    expect(access.permissions()).toEqual([{ user: 'guest', vhost: '/', ...ALL }]);
    expect(access.topicPermissions()).toEqual([]);
  });
});

describe('vhosts', () => {
  test('are what they were after a restart', () => {
    const kept = new Kept();
    const metadata = { description: 'a test', tags: ['x', 'y'], defaultQueueType: 'quorum' };
    kept.broker.putVhost('b', metadata);
    kept.broker.setVhostLimits('b', { 'max-queues': 3 });
    kept.broker.putVhost('b', { description: 'changed' });
    for (const { broker } of [kept, kept.restarted()]) {
      expect(broker.vhost('b').snapshot()).toMatchObject({
        name: 'b',
        ...metadata,
        description: 'changed',
        limits: { 'max-queues': 3 },
      });
    }
  });

  test('that are deleted take along all that is in them, on the disk too', () => {
    const kept = new Kept();
    const vhost = kept.broker.putVhost('b');
    kept.broker.setVhostLimits('b', { 'max-queues': 3 });
    kept.access.setPermission({ user: 'guest', vhost: 'b', ...ALL });
    const declaration = { durable: true, autoDelete: false, arguments: NOTHING };
    const queue = vhost
      .as(ALL_RIGHTS, kept)
      .declareQueue({ name: 'q', owner: null, ...declaration });
    vhost
      .as(ALL_RIGHTS)
      .declareExchange({ name: 'x', type: 'topic', internal: false, ...declaration });
    vhost.bindings.bind(vhost.exchange('x'), queue, 'k', NOTHING);
    const other = kept.broker.vhost('/');
    other.as(ALL_RIGHTS, kept).declareQueue({ name: 'q', owner: null, ...declaration });
    const filled = kept.restarted();
    expect(filled.broker.vhost('b').queues.has('q')).toBe(true);
    filled.broker.deleteVhost('b');
    expect(filled.forced.map(([, reason]) => reason)).toEqual(["vhost 'b' is deleted"]);
    for (const { broker, access } of [filled, filled.restarted()]) {
      expect([...broker.vhosts.keys()]).toEqual(['/']);
      expect(access.permissions().map((each) => each.vhost)).toEqual(['/']);
      expect(broker.vhost('/').queues.has('q')).toBe(true);
      expect(broker.definitionRows.vhosts()).toEqual(['/']);
    }
    // One of that name that is made later has nothing of it.
    const later = filled.restarted().broker.putVhost('b');
    expect(later.queues.size).toBe(0);
    expect(later.exchanges.has('x')).toBe(false);
    expect(later.snapshot()).toMatchObject({ limits: {} });
  });

  test.each([
    ['', {}, 'must not be empty'],
    ['x'.repeat(256), {}, 'longer than 255 bytes'],
    ['b', { defaultQueueType: 'odd' }, 'expected classic or quorum or stream'],
    ['b', { tags: [''] }, 'is no tag'],
  ])('such as %j with %j are refused', (name, metadata, fault) => {
    const { broker } = new Kept();
    expect(() => broker.putVhost(name, metadata)).toThrow(fault);
    expect([...broker.vhosts.keys()]).toEqual(['/']);
  });

  test('that are not there cannot be deleted or limited', () => {
    const { broker } = new Kept();
    expect(() => broker.deleteVhost('b')).toThrow("no vhost 'b'");
    expect(() => broker.setVhostLimits('b', {})).toThrow("no vhost 'b'");
    expect(() => broker.setVhostLimits('/', { 'max-channels': 1 })).toThrow(
      'expected max-connections or max-queues',
    );
  });

  test('with a limit on queues take as many and no more, exclusive ones included', () => {
    const kept = new Kept();
    const { broker } = kept;
    const vhost = broker.vhost('/');
    const declare = (name: string, owner: object | null = null) =>
      vhost
        .as(ALL_RIGHTS, kept)
        .declareQueue({ name, durable: true, autoDelete: false, owner, arguments: NOTHING });
    broker.setVhostLimits('/', { 'max-queues': 2 });
    declare('a');
    declare('b', kept);
    expect(() => declare('c')).toThrow(
      "cannot declare queue 'c': queue limit in vhost '/' (2) is reached",
    );
    expect(declare('a').name).toBe('a');
    finish(vhost.deletingQueuesOf(kept));
    expect(declare('c').name).toBe('c');
    broker.setVhostLimits('/', { 'max-queues': -1 });
    expect(declare('d').name).toBe('d');
  });

  test('with a default queue type give it to queues that can have it', () => {
    const kept = new Kept();
    const vhost = kept.broker.putVhost('b', { defaultQueueType: 'quorum' });
    const typeOf = (declaration: {
      durable: boolean;
      autoDelete: boolean;
      owner: object | null;
    }) => {
      const name = `q${vhost.queues.size}`;
      const queue = vhost
        .as(ALL_RIGHTS, kept)
        .declareQueue({ name, arguments: NOTHING, ...declaration });
      return queue.arguments.get('x-queue-type')?.value;
    };
    expect(typeOf({ durable: true, autoDelete: false, owner: null })).toBe('quorum');
    expect(typeOf({ durable: false, autoDelete: false, owner: null })).toBeUndefined();
    expect(typeOf({ durable: true, autoDelete: true, owner: null })).toBeUndefined();
    expect(typeOf({ durable: true, autoDelete: false, owner: kept })).toBeUndefined();
    const args = new Map([['x-queue-type', { type: 'S', value: 'classic' } as const]]);
    const declaration = {
      name: 'c',
      durable: true,
      autoDelete: false,
      owner: null,
      arguments: args,
    };
    expect(vhost.as(ALL_RIGHTS, kept).declareQueue(declaration).arguments).toEqual(args);
    const again = kept.restarted().broker.vhost('b');
    expect(again.queues.get('q0')?.arguments.get('x-queue-type')?.value).toBe('quorum');
  });
});
