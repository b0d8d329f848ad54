// Owns whether definitions can be had beside what a broker holds: all that applying them could meet, and what of them
// has no effect. Never changes anything.

import { limitOf, type VhostLimits } from '../access/limits.ts';
import type { Broker } from '../broker.ts';
import { routingType } from '../exchange/arguments.ts';
import type { ExchangeDeclaration } from '../exchange/exchange.ts';
import { whyWithoutEffect } from '../policy/parameter-components.ts';
import { isWithoutEffect } from '../policy/policy-keys.ts';
import type { QueueDeclaration } from '../queue/ports.ts';
import type { ScheduleDefinition } from '../schedule/schedule.ts';
import {
  checkBinding,
  checkExchangeDeclaration,
  checkQueueDeclaration,
  RESERVED_PREFIX,
} from '../vhost/declare-rules.ts';
import { Vhost } from '../vhost/vhost.ts';
import { awayText } from '../vhost-place.ts';
import type { BindingDefinition, Definitions, InVhost } from './definition-types.ts';
import { Causes, type Faults, leftOutLines } from './faults.ts';
import { inSteps, type Stepwise } from './in-steps.ts';
import type { Item } from './item.ts';

/** What a vhost will have beside what it has. */
interface Planned {
  readonly vhost: Vhost;
  readonly exchanges: Map<string, ExchangeDeclaration>;
  readonly queues: Map<string, QueueDeclaration>;
  readonly schedules: Set<string>;
}

/**
 * Looks at all items beside what the broker holds; what is wrong with one is told to `faults`. Returns the items to
 * leave out. Stops on the way for others to have their turn.
 */
export function checkDefinitions(
  broker: Broker,
  definitions: Definitions,
  faults: Faults,
): Stepwise<ReadonlySet<Item>> {
  return new Check(broker, definitions, faults).run();
}

class Check {
  private readonly broker: Broker;
  private readonly definitions: Definitions;
  private readonly faults: Faults;
  private readonly planned = new Map<string, Planned>();
  private readonly left = new Set<Item>();
  /** Bindings that are left out, as their ends are. */
  private readonly loose = new Causes();

  constructor(broker: Broker, definitions: Definitions, faults: Faults) {
    this.broker = broker;
    this.definitions = definitions;
    this.faults = faults;
  }

  *run(): Stepwise<ReadonlySet<Item>> {
    const { definitions } = this;
    yield* inSteps(definitions.vhosts, ({ value: { name } }) => {
      this.plan(name, this.broker.vhosts.get(name) ?? new Vhost(name, this.broker));
    });
    const { vhostLimits, parameters, policies } = definitions;
    yield* this.each<InVhost<unknown>>(vhostLimits, (item) => this.of(item));
    for (const each of [parameters, policies]) {
      yield* this.each<InVhost<unknown>>(each, (item) => this.in(item));
    }
    yield* this.checkUsers();
    yield* this.each(definitions.exchanges, (exchange) => this.checkExchange(exchange));
    yield* this.each(definitions.queues, (queue) => this.checkQueue(queue));
    yield* this.checkQueueLimits();
    yield* this.each(definitions.bindings, (binding) => this.checkBinding(binding));
    yield* this.each(definitions.schedules, (schedule) => this.checkSchedule(schedule));
    this.faults.note(leftOutLines(this.loose));
    this.faults.note(yield* this.withoutEffect());
    return this.left;
  }

  /** Looks at each item of a list; what is wrong with one is kept, and the item left out. */
  private *each<T extends { readonly item: Item }>(
    items: readonly T[],
    check: (item: T) => void,
  ): Stepwise<void> {
    yield* inSteps(items, (each) => {
      const fine = this.faults.attempt(() => {
        check(each);
        return true;
      });
      if (fine === undefined) this.left.add(each.item);
    });
  }

  private plan(name: string, vhost: Vhost): Planned {
    const nothing = {
      vhost,
      exchanges: new Map(),
      queues: new Map(),
      schedules: new Set<string>(),
    };
    const planned = this.planned.get(name) ?? nothing;
    this.planned.set(name, planned);
    return planned;
  }

  /** The vhost of an item that comes into it. */
  private in(each: InVhost<unknown>): Planned {
    const planned = this.of(each);
    const { away, name } = planned.vhost;
    if (away !== null) throw each.item.refusal(awayText(name, away), false);
    return planned;
  }

  /** The vhost of an item, wherever in the cluster it is. */
  private of({ item, vhost }: InVhost<unknown>): Planned {
    const planned = this.planned.get(vhost);
    if (planned !== undefined) return planned;
    const found = this.broker.vhosts.get(vhost);
    if (found === undefined) {
      const refused = this.faults.hasRefused('vhosts', vhost);
      throw item.refusal(`there is no vhost '${vhost}'`, refused);
    }
    return this.plan(vhost, found);
  }

  private *checkUsers(): Stepwise<void> {
    const { users, permissions, topicPermissions } = this.definitions;
    const names = new Set<string>();
    yield* inSteps(users, ({ value }) => names.add(value.name));
    for (const each of [permissions, topicPermissions]) {
      yield* this.each<InVhost<{ readonly user: string }>>(each, (permission) => {
        this.of(permission);
        const { user } = permission.value;
        if (names.has(user) || this.broker.access.user(user) !== null) return;
        const refused = this.faults.hasRefused('users', user);
        throw permission.item.refusal(`there is no user '${user}'`, refused);
      });
    }
  }

  private checkExchange(exchange: InVhost<ExchangeDeclaration>): void {
    const { item, vhost, value } = exchange;
    const planned = this.in(exchange);
    // They are there from the start, or belong to a plugin of RabbitMQ.
    if (value.name === '' || value.name.startsWith(RESERVED_PREFIX)) {
      this.left.add(item);
      return;
    }
    const found = exchangeOf(planned, value.name);
    item.attempt(() => checkExchangeDeclaration(vhost, found, value));
    planned.exchanges.set(value.name, value);
  }

  private checkQueue(queue: InVhost<QueueDeclaration>): void {
    const { item, vhost, value } = queue;
    const planned = this.in(queue);
    const found = queueOf(planned, value.name);
    item.attempt(() => checkQueueDeclaration(vhost, found, value, null));
    if (found === undefined) planned.queues.set(value.name, value);
  }

  private *checkQueueLimits(): Stepwise<void> {
    const given = new Map<string, VhostLimits>();
    yield* inSteps(this.definitions.vhostLimits, ({ vhost, value }) => given.set(vhost, value));
    yield* inSteps([...this.planned.values()], ({ vhost, queues }) => {
      const limits = given.get(vhost.name) ?? vhost.metadata.limits;
      const more = queues.size;
      const max = limitOf(limits['max-queues']);
      if (more === 0 || vhost.queues.size + more <= max) return;
      const what = `Adding ${more} queue(s) to virtual host "${vhost.name}"`;
      this.faults.refuseFile(`${what} would exceed the limit of ${max} queue(s).`);
    });
  }

  /** RabbitMQ's exports hold bindings of queues that they leave out. */
  private checkBinding(binding: InVhost<BindingDefinition>): void {
    const { item, value } = binding;
    const planned = this.in(binding);
    const source = exchangeOf(planned, value.source);
    const find = value.toExchange ? exchangeOf : queueOf;
    const destination = find(planned, value.destination);
    if (value.source === '') {
      this.left.add(item);
      return;
    }
    if (source === undefined || destination === undefined) {
      const end = source === undefined ? 'its source' : 'its destination';
      this.left.add(item);
      this.loose.add(`${end} is not there`, item.describe());
      return;
    }
    const type = routingType(source.type, source.arguments);
    item.attempt(() => checkBinding(type, value.bindingKey, value.arguments));
  }

  private checkSchedule(schedule: InVhost<ScheduleDefinition>): void {
    const { item, value } = schedule;
    const { vhost, schedules } = this.in(schedule);
    if (!vhost.schedules.has(value.name)) schedules.add(value.name);
    item.attempt(() => vhost.schedules.checkRoom(schedules.size));
  }

  /** What is taken and changes nothing: for operators that count on it. */
  private *withoutEffect(): Stepwise<readonly string[]> {
    const idle = new Causes();
    yield* inSteps(this.definitions.parameters, ({ item, value }) => {
      const why = this.left.has(item) ? null : whyWithoutEffect(value.component);
      if (why !== null) idle.add(why, item.describe());
    });
    yield* inSteps(this.definitions.policies, ({ item, value: { policy } }) => {
      const keys = this.left.has(item)
        ? []
        : Object.keys(policy.definition).filter(isWithoutEffect);
      if (keys.length > 0) idle.add(`nothing here goes by ${keys.join(', ')}`, item.describe());
    });
    return idle.lines(
      (place, why) => `${place} is kept: ${why}`,
      (places, why) => `kept, though ${why}: ${places}`,
    );
  }
}

function exchangeOf({ exchanges, vhost }: Planned, name: string): ExchangeDeclaration | undefined {
  return exchanges.get(name) ?? vhost.exchanges.get(name);
}

function queueOf({ queues, vhost }: Planned, name: string): QueueDeclaration | undefined {
  return queues.get(name) ?? vhost.queues.get(name);
}
