import { expect, test } from 'vitest';
import { Grants, type Permission } from '../../../src/broker/access/grants.ts';
import { User } from '../../../src/broker/access/user.ts';

const ALL = { configure: '.*', write: '.*', read: '.*' };

function grantsOf(permission: Permission | null, user = 'app', vhost = '/'): Grants {
  const snapshot = { name: user, passwordHash: '', hashingAlgorithm: '', tags: [], limits: {} };
  const grants = new Grants(new User(snapshot), vhost);
  grants.setPermission(permission);
  return grants;
}

test('each verb has a pattern of its own, and answers are those of the pattern when asked again', () => {
  const grants = grantsOf({ configure: '^c', write: '^w', read: 'r$' });
  for (const round of [1, 2]) {
    expect(grants.may('configure', 'cr'), `${round}`).toBe(true);
    expect(grants.may('write', 'cr')).toBe(false);
    expect(grants.may('read', 'cr')).toBe(true);
    expect(grants.may('read', 'w')).toBe(false);
    expect(grants.may('write', 'w')).toBe(true);
  }
});

test('an empty pattern matches the empty name alone', () => {
  const grants = grantsOf({ configure: '', write: '', read: '' });
  expect(grants.may('write', 'x')).toBe(false);
  expect(grants.may('write', '')).toBe(true);
});

test('without a permission there is no admittance and nothing is allowed', () => {
  const grants = grantsOf(null);
  expect(grants.admitted).toBe(false);
  expect(() => grants.requireQueue('read', 'q')).toThrow(
    "read access to queue 'q' in vhost '/' refused for user 'app'",
  );
  grants.setPermission(ALL);
  expect(grants.admitted).toBe(true);
});

test('a change of the permission holds for names that were asked for before', () => {
  const grants = grantsOf(ALL);
  expect(grants.may('read', 'q')).toBe(true);
  grants.setPermission({ ...ALL, read: '^other' });
  expect(grants.may('read', 'q')).toBe(false);
  grants.setPermission(null);
  expect(grants.may('read', 'other')).toBe(false);
});

test('the default exchange goes by another name', () => {
  const grants = grantsOf({ configure: '', write: '^amq\\.default$', read: '' });
  expect(() => grants.requireExchange('write', '')).not.toThrow();
  expect(() => grants.requireExchange('read', '')).toThrow("exchange 'amq.default'");
});

test('more names than are remembered get their answers still', () => {
  const grants = grantsOf({ ...ALL, read: '7$' });
  for (let n = 0; n < 10_000; n++) grants.may('read', `queue ${n}`);
  expect(grants.may('read', 'queue 7')).toBe(true);
  expect(grants.may('read', 'queue 8')).toBe(false);
});

test('topic permissions are asked of topic exchanges that have one', () => {
  const grants = grantsOf(ALL);
  const topic = { name: 'logs', type: 'topic' };
  expect(() => grants.requireTopic('write', topic, 'x')).not.toThrow();
  grants.setTopicPermissions(new Map([['logs', { write: '^a\\.', read: '^b\\.' }]]));
  expect(() => grants.requireTopic('write', topic, 'a.1')).not.toThrow();
  expect(() => grants.requireTopic('read', topic, 'a.1')).toThrow(
    "read access to topic 'a.1' in exchange 'logs' in vhost '/' refused for user 'app'",
  );
  expect(() => grants.requireTopic('read', { ...topic, type: 'direct' }, 'a.1')).not.toThrow();
  expect(() => grants.requireTopic('read', { ...topic, name: 'other' }, 'a.1')).not.toThrow();
  grants.setTopicPermissions(null);
  expect(() => grants.requireTopic('read', topic, 'a.1')).not.toThrow();
});

test('names that are filled in match as they stand', () => {
  const grants = grantsOf(ALL, 'a.b$1', '/x-y[z]');
  const topic = { name: 't', type: 'topic' };
  grants.setTopicPermissions(new Map([['t', { write: '^{username}$', read: '^({vhost}|k)\\.' }]]));
  const may = (verb: 'write' | 'read', key: string): boolean => {
    try {
      grants.requireTopic(verb, topic, key);
      return true;
    } catch {
      return false;
    }
  };
  expect(may('write', 'a.b$1')).toBe(true);
  expect(may('write', 'axb$1')).toBe(false);
  expect(may('write', '{username}')).toBe(false);
  expect(may('read', '/x-y[z].k')).toBe(true);
  expect(may('read', 'k.k')).toBe(true);
  expect(may('read', '/x-yz.k')).toBe(false);
});

test('a stored pattern that cannot be used any more refuses, and says what is wrong with it', () => {
  const grants = grantsOf({ ...ALL, write: '^(a+)\\1$' });
  expect(grants.may('read', 'q')).toBe(true);
  for (const _round of [1, 2]) {
    expect(() => grants.requireQueue('write', 'aa')).toThrow('backreferences are not supported');
  }
  grants.setTopicPermissions(new Map([['x', { write: '(a){1000000}', read: '.*' }]]));
  const exchange = { name: 'x', type: 'topic' };
  expect(() => grants.requireTopic('write', exchange, 'a')).toThrow('too many steps');
  expect(() => grants.requireTopic('read', exchange, 'a')).not.toThrow();
});
