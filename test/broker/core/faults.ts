// Owns what tests of faults amid a change need: a disk with one of everything, a store and turns that fail
// when they are told to. Never asserts but that a fault is the test's own.

import { expect } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { exportDefinitions } from '../../../src/broker/definitions/export.ts';
import { readPolicy } from '../../../src/broker/policy/policy.ts';
import type { Vhost } from '../../../src/broker/vhost/vhost.ts';
import type { JsonValue } from '../../../src/util/json/json.ts';
import { ControlledStore, type Disk } from '../controlled-store.ts';
import { publishEach } from '../set-aside/damage.ts';
import { SmallBroker } from '../small-broker.ts';

export const SHA256 = 'rabbit_password_hashing_sha256';
export const NONE = new Map<string, Field>();
export const ODD = new Map([['odd', { type: '?', value: 1 } as unknown as Field]]);
/** No row can hold it. */
export const UNWRITABLE = {
  toJSON() {
    throw new Error('this value cannot be written as JSON');
  },
} as unknown as JsonValue;

/** A store that fails at the change that a test chooses. */
export class FaultyStore extends ControlledStore {
  /** How many changes go well before one fails. */
  left = Infinity;

  override put(table: number, key: Buffer, value: Buffer): void {
    this.spend();
    super.put(table, key, value);
  }

  override remove(table: number, key: Buffer): void {
    this.spend();
    super.remove(table, key);
  }

  override removeRange(table: number, from: Buffer, to: Buffer): void {
    this.spend();
    super.removeRange(table, from, to);
  }

  private spend(): void {
    if (this.left <= 0) throw new Error('a fault amid a change');
    this.left -= 1;
  }
}

export const exchangeOf = (name: string, args = NONE) => ({
  name,
  type: 'topic',
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: args,
});

/** A disk with one of everything, each named `old`. */
export function filledDisk(): Disk {
  const small = new SmallBroker();
  const { broker, vhost } = small;
  small.declare('old');
  small.declare('other');
  for (const name of ['old', 'other']) vhost.as(ALL_RIGHTS).declareExchange(exchangeOf(name));
  vhost.as(ALL_RIGHTS).declareExchange({ ...exchangeOf('leaving'), autoDelete: true });
  for (const from of ['old', 'leaving']) {
    vhost.bindings.bind(vhost.exchange(from), small.queue('old'), 'key', NONE);
  }
  broker.access.putUserWithHash({ name: 'old', tags: [] }, '', SHA256);
  broker.putVhost('old', {});
  broker.vhost('old').as(ALL_RIGHTS).declareExchange(exchangeOf('inner'));
  const permission = { user: 'old', configure: '', write: '.*', read: '' };
  for (const name of ['/', 'old']) broker.access.setPermission({ ...permission, vhost: name });
  const topic = { user: 'old', vhost: '/', write: 'a', read: 'b' };
  for (const exchange of ['old', 'other']) broker.access.setTopicPermission({ ...topic, exchange });
  setPolicy(vhost, 'old', 'old', { 'max-length': 5 });
  vhost.parameters.set({ component: 'c', name: 'old', value: 1 });
  broker.globalParameters.set({ name: 'old', value: 1 });
  publishEach(small, 'old', 'abc');
  small.run();
  small.restarted();
  return small.disk;
}

export function setPolicy(
  vhost: Vhost,
  name: string,
  pattern: string,
  definition: JsonValue,
): void {
  vhost.policies.set('policy', readPolicy('policy', name, { pattern, definition }));
}

/** All that operators and clients can see of it. */
export function stateOf(small: SmallBroker): string {
  const { broker } = small;
  const queues = [...broker.vhosts.values()].flatMap((vhost) =>
    [...vhost.queues.values()].map(({ name, readyCount }) => `${vhost.name} ${name} ${readyCount}`),
  );
  const sections = Object.entries(exportDefinitions(broker, '0')).map(([key, value]) => {
    // A start reads names in their order.
    return Array.isArray(value) ? [key, value.map((each) => JSON.stringify(each)).sort()] : [key];
  });
  return JSON.stringify([sections, queues.sort()]);
}

export function faulty(disk: Disk): { small: SmallBroker; store: FaultyStore } {
  const store = new FaultyStore(disk);
  return { small: new SmallBroker(disk, undefined, undefined, store), store };
}

/** A broker that fails once it asks for a turn, as soon as the test arms it. */
export function faultyTurns(disk: Disk): { small: SmallBroker; arm: (after: number) => void } {
  let left = Infinity;
  const turnWanted = (): void => {
    if (left <= 0) throw new Error('a fault amid a change');
    left -= 1;
  };
  const listener = { turnWanted, durable: () => {}, connectionsForced: () => {} };
  const small = new SmallBroker(disk, undefined, undefined, undefined, listener);
  const arm = (after: number): void => {
    left = after;
  };
  return { small, arm };
}

/** Whether it was done, and not ended by the fault of the test. */
export function doneBy(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    expect(String(error)).toContain('a fault amid a change');
    return false;
  }
}
