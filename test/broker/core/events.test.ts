import { expect, test } from 'vitest';
import type { Change } from '../../../src/broker/core/events.ts';
import { SmallBroker } from '../small-broker.ts';

function listen(small: SmallBroker): string[] {
  const heard: string[] = [];
  small.broker.changes.listener = ({ kind, act, lasting, names }: Change) => {
    const name = names['user'] ?? names[kind] ?? names['policy'] ?? names['parameter'];
    heard.push(`${kind} ${name} ${act}${lasting ? '' : ', passing'}`);
  };
  return heard;
}

test('says what an operator sets and deletes, with what goes along with it', async () => {
  const small = new SmallBroker();
  const { broker } = small;
  const heard = listen(small);
  broker.putVhost('orders');
  await broker.access.putUser({ name: 'app', tags: [] }, 'secret');
  broker.access.setPermission({
    user: 'app',
    vhost: 'orders',
    configure: '',
    write: '',
    read: '.*',
  });
  broker.vhost('orders').parameters.set({ component: 'c', name: 'p', value: 1 });
  broker.globalParameters.set({ name: 'g', value: 1 });
  broker.globalParameters.clear('g');
  broker.deleteVhost('orders');
  broker.access.deleteUser('app');
  expect(heard).toEqual([
    'vhost orders set',
    'user app set',
    'permission app set',
    'parameter p set',
    'global parameter g set',
    'global parameter g deleted',
    'parameter p deleted',
    'permission app deleted',
    'vhost orders deleted',
    'user app deleted',
  ]);
});

test('says what comes and goes with a queue, and nothing when nothing has changed', () => {
  const small = new SmallBroker();
  const heard = listen(small);
  const { vhost } = small;
  const queue = small.declare('jobs');
  small.declare('jobs');
  small.declare('passing', false);
  const source = vhost.exchange('amq.direct');
  vhost.bindings.bind(source, queue, 'key', new Map());
  vhost.bindings.bind(source, queue, 'key', new Map());
  vhost.bindings.unbind(source, queue, 'other', new Map());
  vhost.removeQueue(queue);
  expect(heard).toEqual([
    'queue jobs declared',
    'queue passing declared, passing',
    'binding undefined declared, passing',
    'queue jobs deleted',
    'binding undefined deleted, passing',
  ]);
});

test('bulk ends also when what it runs throws', () => {
  const { changes } = new SmallBroker().broker;
  expect(() =>
    changes.bulk(() => {
      expect(changes.inBulk).toBe(true);
      throw new Error('refused');
    }),
  ).toThrow('refused');
  expect(changes.inBulk).toBe(false);
});
