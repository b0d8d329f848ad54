// Owns the tests of the line between refusing a change of definitions and being amid it: what is thrown
// before it leaves all as it was; behind it the change is under way, and a start shows the old state.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { importDefinitions } from '../../../src/broker/definitions/import.ts';
import { readPolicy } from '../../../src/broker/policy/policy.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import {
  doneBy,
  exchangeOf,
  faulty,
  filledDisk,
  NONE,
  ODD,
  SHA256,
  setPolicy,
  stateOf,
  UNWRITABLE,
} from '../core/faults.ts';
import { SmallBroker } from '../small-broker.ts';

/** A kind of change: how it is made, and how it is asked for so that it cannot be made. */
interface Kind {
  readonly make: (small: SmallBroker) => unknown;
  readonly refused: (small: SmallBroker) => unknown;
}

const permission = { user: 'old', vhost: '/', configure: 'a', write: 'b', read: 'c' };
const topic = { user: 'old', vhost: '/', exchange: 'old', write: 'a', read: 'z' };

const KINDS: Record<string, Kind> = {
  'declaring a queue': {
    make: (small) => small.declare('new'),
    refused: (small) => small.declare('new', true, { odd: ODD.get('odd') as Field }),
  },
  'deleting a queue': {
    make: (small) => small.vhost.as(ALL_RIGHTS, small).deleteQueue('old', {}),
    refused: (small) => small.vhost.as(ALL_RIGHTS, small).deleteQueue('old', { ifEmpty: true }),
  },
  'declaring an exchange': {
    make: ({ vhost }) => vhost.as(ALL_RIGHTS).declareExchange(exchangeOf('new')),
    refused: ({ vhost }) => vhost.as(ALL_RIGHTS).declareExchange(exchangeOf('new', ODD)),
  },
  'deleting an exchange': {
    make: ({ vhost }) => vhost.as(ALL_RIGHTS).deleteExchange('old', false),
    refused: ({ vhost }) => vhost.as(ALL_RIGHTS).deleteExchange('old', true),
  },
  'binding a queue': {
    make: (small) => bind(small, 'new', NONE),
    refused: (small) => bind(small, 'new', ODD),
  },
  'unbinding the last queue of an auto-delete exchange': {
    make: (small) => unbind(small, 'leaving', NONE),
    refused: (small) => unbind(small, 'leaving', ODD),
  },
  'setting a policy': {
    make: ({ vhost }) => setPolicy(vhost, 'new', '.*', { 'max-length': 2 }),
    refused: ({ vhost }) =>
      vhost.policies.set('policy', { ...policyOf(), definition: UNWRITABLE as JsonObject }),
  },
  'clearing a policy': {
    make: ({ vhost }) => vhost.policies.clear('policy', 'old'),
    refused: ({ vhost }) => vhost.policies.clear('policy', 'none'),
  },
  'setting a parameter': {
    make: ({ vhost }) => vhost.parameters.set({ component: 'c', name: 'new', value: 1 }),
    refused: ({ vhost }) =>
      vhost.parameters.set({ component: 'c', name: 'new', value: UNWRITABLE }),
  },
  'clearing a parameter': {
    make: ({ vhost }) => vhost.parameters.clear('c', 'old'),
    refused: ({ vhost }) => vhost.parameters.clear('c', 'none'),
  },
  'setting a global parameter': {
    make: ({ broker }) => broker.globalParameters.set({ name: 'new', value: 1 }),
    refused: ({ broker }) => broker.globalParameters.set({ name: 'new', value: UNWRITABLE }),
  },
  'clearing a global parameter': {
    make: ({ broker }) => broker.globalParameters.clear('old'),
    refused: ({ broker }) => broker.globalParameters.clear('none'),
  },
  'making a user': {
    make: ({ broker }) => broker.access.putUserWithHash({ name: 'new', tags: [] }, '', SHA256),
    refused: ({ broker }) =>
      broker.access.putUserWithHash({ name: 'new', tags: [] }, '', UNWRITABLE as string),
  },
  'changing the tags of a user': {
    make: ({ broker }) => broker.access.setUserTags('old', ['monitoring']),
    refused: ({ broker }) => broker.access.setUserTags('old', [UNWRITABLE as string]),
  },
  'limiting a user': {
    make: ({ broker }) => broker.access.setUserLimits('old', { 'max-channels': 3 }),
    refused: ({ broker }) => broker.access.setUserLimits('old', { 'max-channels': UNWRITABLE }),
  },
  'deleting a user': {
    make: ({ broker }) => broker.access.deleteUser('old'),
    refused: ({ broker }) => broker.access.deleteUser('none'),
  },
  'giving a permission': {
    make: ({ broker }) => broker.access.setPermission(permission),
    refused: ({ broker }) => broker.access.setPermission({ ...permission, read: '(' }),
  },
  'giving a topic permission': {
    make: ({ broker }) => broker.access.setTopicPermission(topic),
    refused: ({ broker }) => broker.access.setTopicPermission({ ...topic, read: '(' }),
  },
  'taking a permission away': {
    make: ({ broker }) => broker.access.clearPermission('old', '/'),
    refused: refuse,
  },
  'taking all topic permissions away': {
    make: ({ broker }) => broker.access.clearTopicPermission('old', '/'),
    refused: refuse,
  },
  'making a vhost': {
    make: ({ broker }) => broker.putVhost('new', { tracing: true }),
    refused: ({ broker }) => broker.putVhost('new', { defaultQueueType: 'odd' }),
  },
  'changing a vhost': {
    make: ({ broker }) => broker.putVhost('old', { description: 'changed' }),
    refused: ({ broker }) => broker.putVhost('old', { description: UNWRITABLE as string }),
  },
  'limiting a vhost': {
    make: ({ broker }) => broker.setVhostLimits('old', { 'max-queues': 3 }),
    refused: ({ broker }) => broker.setVhostLimits('old', { 'max-queues': UNWRITABLE }),
  },
  'deleting a vhost': {
    make: ({ broker }) => broker.deleteVhost('old'),
    refused: ({ broker }) => broker.deleteVhost('none'),
  },
  'importing definitions': {
    make: ({ broker }) => importDefinitions(broker, IMPORTED),
    refused: ({ broker }) => importDefinitions(broker, { ...IMPORTED, exchanges: [{ name: 'x' }] }),
  },
};

const IMPORTED = {
  vhosts: [{ name: 'imported' }],
  global_parameters: [{ name: 'imported', value: 1 }],
  queues: [
    { name: 'imported', vhost: 'imported', durable: true, auto_delete: false, arguments: {} },
  ],
};

function refuse(): never {
  throw new Error('it can always be made');
}

function policyOf() {
  return readPolicy('policy', 'new', { pattern: '.*', definition: { 'max-length': 2 } });
}

function bind(small: SmallBroker, key: string, args: typeof NONE): void {
  small.vhost.bindings.bind(small.vhost.exchange('old'), small.queue('old'), key, args);
}

function unbind(small: SmallBroker, from: string, args: typeof NONE): void {
  small.vhost.bindings.unbind(small.vhost.exchange(from), small.queue('old'), 'key', args);
}

for (const [name, { make, refused }] of Object.entries(KINDS)) {
  test(`${name}: what cannot be changed is refused before anything changes`, () => {
    const small = new SmallBroker(filledDisk());
    const before = stateOf(small);
    expect(() => refused(small)).toThrow();
    expect(small.broker.core.line.underWay).toBe(false);
    expect(stateOf(small)).toBe(before);
    small.commit();
    expect(stateOf(small.crashed())).toBe(before);
    make(small);
    expect(small.broker.core.line.underWay).toBe(false);
    const after = stateOf(small);
    expect(after).not.toBe(before);
    small.commit();
    expect(stateOf(small.crashed())).toBe(after);
  });

  test(`${name}: a fault at any step leaves the change under way, and a start shows the old state`, () => {
    const disk = filledDisk();
    const before = stateOf(new SmallBroker(disk));
    let faults = 0;
    for (;;) {
      const { small, store } = faulty(disk);
      store.left = faults;
      if (doneBy(() => make(small))) break;
      expect(small.broker.core.line.underWay, `after a fault at step ${faults}`).toBe(true);
      expect(stateOf(small.crashed())).toBe(before);
      faults += 1;
    }
    expect(faults).toBeGreaterThan(0);
  });

  test(`${name}: a fault of who is told of changes leaves the change under way`, () => {
    const disk = filledDisk();
    const small = new SmallBroker(disk);
    const before = stateOf(small);
    small.broker.changes.listener = () => {
      throw new Error('a fault amid a change');
    };
    expect(doneBy(() => make(small))).toBe(false);
    expect(small.broker.core.line.underWay).toBe(true);
    expect(stateOf(small.crashed())).toBe(before);
  });
}
