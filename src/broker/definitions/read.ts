// Owns reading a file of definitions in RabbitMQ's format, of any release: its lists, and what is wrong with their
// items. Never looks at a broker: check.ts does.

import { isObject, type JsonObject, type JsonValue } from '../../util/json/json.ts';
import { Refusal } from '../errors.ts';
import type { Definitions, InVhost, Read } from './definition-types.ts';
import { Faults } from './faults.ts';
import { inSteps, type Stepwise } from './in-steps.ts';
import { Item } from './item.ts';
import { MD5, SHA256 } from './password-json.ts';
import {
  readBinding,
  readExchange,
  readPermission,
  readPolicyItem,
  readQueue,
  readTopicPermission,
  readUser,
  readVhost,
} from './read-items.ts';
import {
  homeOf,
  type ParameterHome,
  readGlobalParameter,
  readOperatorPolicy,
  readParameter,
  readVhostLimits,
} from './read-parameters.ts';
import { readSchedule } from './schedule-json.ts';

/** Refuses a file that is wrong by itself. Throws a Refusal with all causes. */
export function checkFile(json: JsonValue, skip: boolean): void {
  const faults = new Faults(skip);
  const steps = readInSteps(json, null, faults);
  while (steps.next().done !== true);
  faults.settle();
}

/**
 * Reads definitions; what is wrong with an item is told to `faults`, and the item is not among what is returned. Throws
 * a Refusal for what is no file of definitions. With a vhost, all items belong to it, whatever they say, and the
 * lists that are not of vhosts are left out. Stops on the way for others to have their turn.
 */
export function readInSteps(
  json: JsonValue,
  only: string | null,
  faults: Faults,
): Stepwise<Definitions> {
  if (!isObject(json)) throw new Refusal('invalid', 'definitions must be an object');
  return new Reading(json, only, faults).run();
}

/** The parts of a version that say how its passwords are hashed. */
const BEFORE_3_6 = /^([0-2]|3\.[0-5])(\.|$)/;

class Reading {
  private readonly json: JsonObject;
  private readonly faults: Faults;
  private readonly only: string | null;
  /** The vhost of items that name none: that of the file, if it is of one. */
  private readonly home: string | null;

  constructor(json: JsonObject, only: string | null, faults: Faults) {
    this.json = json;
    this.faults = faults;
    this.only = only;
    const { original_vhost_name: name } = json;
    this.home = typeof name === 'string' ? name : null;
  }

  *run(): Stepwise<Definitions> {
    const parameters = yield* this.parameters();
    const hashing = this.hashing();
    return {
      users: yield* this.each(
        yield* this.broad('users'),
        (item) => readUser(item, hashing),
        'users',
      ),
      vhosts: yield* this.each(
        [...this.ownVhost(), ...(yield* this.broad('vhosts'))],
        (item) => readVhost(item, (fault) => this.faults.add(fault)),
        'vhosts',
      ),
      permissions: yield* this.inVhost(yield* this.broad('permissions'), readPermission),
      topicPermissions: yield* this.inVhost(
        yield* this.broad('topic_permissions'),
        readTopicPermission,
      ),
      vhostLimits: yield* this.inVhost(parameters.limits, readVhostLimits),
      globalParameters: yield* this.each(
        yield* this.broad('global_parameters'),
        readGlobalParameter,
      ),
      parameters: yield* this.inVhost(parameters.others, readParameter),
      policies: (yield* this.inVhost(yield* this.items('policies'), (item) =>
        readPolicyItem('policy', item),
      )).concat(yield* this.inVhost(parameters.policies, readOperatorPolicy)),
      exchanges: yield* this.inVhost(yield* this.items('exchanges'), readExchange),
      queues: yield* this.inVhost(yield* this.items('queues'), readQueue),
      bindings: yield* this.inVhost(yield* this.items('bindings'), readBinding),
      schedules: yield* this.inVhost(yield* this.items('schedules'), (item) =>
        readSchedule(item.shortText('name'), (key) => item.raw(key)),
      ),
    };
  }

  /** How the passwords of a file are hashed that says it of none of them. */
  private hashing(): string {
    const version = this.json['rabbitmq_version'] ?? this.json['rabbit_version'];
    return typeof version === 'string' && BEFORE_3_6.test(version) ? MD5 : SHA256;
  }

  /** The export of one vhost, imported into none by name, brings that vhost. */
  private ownVhost(): readonly Item[] {
    const { home, only, json } = this;
    if (home === null || only !== null || json['vhosts'] !== undefined) return [];
    return [new Item('the vhost', { name: home, metadata: json['metadata'] ?? {} })];
  }

  /** The items of a list that is of no vhost. */
  private *broad(list: string): Stepwise<Item[]> {
    return this.only === null ? yield* this.items(list) : [];
  }

  private *items(list: string): Stepwise<Item[]> {
    const found = this.json[list] ?? [];
    if (!Array.isArray(found)) throw new Refusal('invalid', `'${list}' must be an array`);
    const items: Item[] = [];
    yield* inSteps(found as readonly JsonValue[], (each, index) => {
      const item = this.faults.attempt(() => new Item(`${list}[${index}]`, each));
      if (item !== undefined) items.push(item);
    });
    return items;
  }

  /** Reads items; those that are wrong, and have names that others refer to, are noted as such. */
  private *each<T>(
    items: readonly Item[],
    read: (item: Item) => T,
    kind: 'users' | 'vhosts' | null = null,
  ): Stepwise<Read<T>[]> {
    const found: Read<T>[] = [];
    yield* inSteps(items, (item) => {
      const value = this.faults.attempt(() => item.attempt(() => read(item)));
      if (value !== undefined) found.push({ item, value });
      else if (kind !== null) this.faults.refuseName(kind, item.raw('name'));
    });
    return found;
  }

  private *inVhost<T>(
    items: readonly Item[],
    read: (item: Item, vhost: string) => T,
  ): Stepwise<InVhost<T>[]> {
    const found: InVhost<T>[] = [];
    yield* inSteps(items, (item) => {
      const each = this.faults.attempt((): InVhost<T> => {
        const vhost = this.only ?? item.text('vhost', this.home ?? undefined);
        return { item, vhost, value: item.attempt(() => read(item, vhost)) };
      });
      if (each !== undefined) found.push(each);
    });
    return found;
  }

  /** Parameters by whether their component has a home of its own. */
  private *parameters(): Stepwise<Record<ParameterHome, Item[]>> {
    const sorted = { policies: [] as Item[], limits: [] as Item[], others: [] as Item[] };
    yield* inSteps(yield* this.items('parameters'), (item) => sorted[homeOf(item)].push(item));
    return sorted;
  }
}
