// Owns the tests of what verbs see of a stopped broker.

import { expect, test } from 'vitest';
import { View } from '../../../src/broker/view.ts';
import { folderView } from '../../../src/cli/verb/folder-view.ts';
import { SmallBroker } from '../../broker/small-broker.ts';

test('lists of a stopped broker are the rows of the HTTP API, with an empty text for no policy', () => {
  const small = new SmallBroker();
  const view = new View(small.broker, '1.2.3');
  const verbs = folderView(view);
  small.declare('jobs');
  verbs.setPolicy('policy', '/', 'p', {
    pattern: '^amq',
    definition: { 'alternate-exchange': 'x' },
    priority: 0,
    applyTo: 'exchanges',
  });
  const none = { policy: '', operator_policy: '' };
  expect(verbs.queues('/')).toMatchObject([{ name: 'jobs', messages: 0, ...none }]);
  expect(verbs.exchanges('/')).toContainEqual(
    expect.objectContaining({ name: 'amq.topic', policy: 'p' }),
  );
  expect(verbs.exchanges('/')).toContainEqual(expect.objectContaining({ name: '', policy: '' }));
  expect(verbs.bindings('/')).toMatchObject([{ source: '', destination: 'jobs' }]);
  expect(verbs.vhosts()).toMatchObject([{ name: '/', messages: 0 }]);
  expect(verbs.policies('policy', '/')).toMatchObject([{ name: 'p', vhost: '/' }]);
  expect([verbs.users(), verbs.permissions(), verbs.topicPermissions()]).toEqual([[], [], []]);
});

test('lists of a vhost that is not there are refused, and those of queues that are set aside say so', () => {
  const small = new SmallBroker();
  const verbs = folderView(new View(small.broker, '1.2.3'));
  for (const list of ['queues', 'exchanges', 'bindings', 'parameters'] as const) {
    expect(() => verbs[list]('none')).toThrow("there is no vhost 'none'");
  }
  expect(() => verbs.policies('policy', 'none')).toThrow("there is no vhost 'none'");
  small.vhost.standIn('broken', 'its row makes no sense');
  expect(verbs.queues('/')).toMatchObject([{ name: 'broken', state: 'set_aside' }]);
});

test('commands reach the stopped broker', () => {
  const small = new SmallBroker();
  const verbs = folderView(new View(small.broker, '1.2.3'));
  verbs.addVhost('shop', {});
  expect(small.broker.vhosts.has('shop')).toBe(true);
  small.declare('jobs');
  small.fill('jobs', 3);
  expect(verbs.purgeQueue('/', 'jobs')).toBe(3);
  expect(verbs.deleteQueue('/', 'jobs', {})).toBe(0);
  expect(() => verbs.deleteQueue('/', 'jobs', {})).toThrow("no queue 'jobs' in vhost '/'");
});
