// Owns whether definitions can be had beside what a broker holds: all that applying them could meet.
// Never changes anything.

import { limitOf, type VhostLimits } from '../access/limits.ts';
import type { Broker } from '../broker.ts';
import { Refusal } from '../errors.ts';
import type { ExchangeTraits } from '../exchange/exchange.ts';
import type { QueueTraits } from '../queue/ports.ts';
import {
  checkBinding,
  checkExchangeDeclaration,
  checkQueueDeclaration,
  RESERVED_PREFIX,
} from '../vhost/declare-rules.ts';
import { Vhost } from '../vhost/vhost.ts';
import { inSteps, type Stepwise } from './in-steps.ts';
import type { Item } from './item.ts';
import type { BindingDefinition, Definitions, InVhost } from './read.ts';

/** What came out: the items to leave out, and why, for the log. */
export interface Checked {
  readonly left: ReadonlySet<Item>;
  readonly warnings: readonly string[];
}

/** What a vhost will have beside what it has. */
interface Planned {
  readonly vhost: Vhost;
  readonly exchanges: Map<string, ExchangeTraits>;
  readonly queues: Map<string, QueueTraits>;
}

/** Throws a Refusal that names the first item that cannot be had. Stops on the way for others to have their turn. */
export function checkDefinitions(broker: Broker, definitions: Definitions): Stepwise<Checked> {
  return new Check(broker, definitions).run();
}

class Check {
  private readonly broker: Broker;
  private readonly definitions: Definitions;
  private readonly planned = new Map<string, Planned>();
  private readonly left = new Set<Item>();
  private readonly warnings: string[] = [];

  constructor(broker: Broker, definitions: Definitions) {
    this.broker = broker;
    this.definitions = definitions;
  }

  *run(): Stepwise<Checked> {
    const { definitions } = this;
    yield* inSteps(definitions.vhosts, ({ value: { name } }) => {
      this.plan(name, this.broker.vhosts.get(name) ?? new Vhost(name, this.broker));
    });
    const { vhostLimits, parameters, policies } = definitions;
    for (const each of [vhostLimits, parameters, policies]) {
      yield* inSteps<InVhost<unknown>>(each, (item) => this.in(item));
    }
    yield* this.checkUsers();
    yield* inSteps(definitions.exchanges, (exchange) => this.checkExchange(exchange));
    yield* inSteps(definitions.queues, (queue) => this.checkQueue(queue));
    yield* this.checkQueueLimits();
    yield* inSteps(definitions.bindings, (binding) => this.checkBinding(binding));
    return { left: this.left, warnings: this.warnings };
  }

  private plan(name: string, vhost: Vhost): Planned {
    const planned = this.planned.get(name) ?? { vhost, exchanges: new Map(), queues: new Map() };
    this.planned.set(name, planned);
    return planned;
  }

  /** The vhost of an item. */
  private in({ item, vhost }: InVhost<unknown>): Planned {
    const planned = this.planned.get(vhost);
    if (planned !== undefined) return planned;
    const found = this.broker.vhosts.get(vhost);
    if (found === undefined) throw item.refusal(`there is no vhost '${vhost}'`);
    return this.plan(vhost, found);
  }

  private *checkUsers(): Stepwise<void> {
    const { users, permissions, topicPermissions } = this.definitions;
    const names = new Set<string>();
    yield* inSteps(users, ({ value }) => names.add(value.name));
    for (const each of [permissions, topicPermissions]) {
      yield* inSteps<InVhost<{ readonly user: string }>>(each, (permission) => {
        this.in(permission);
        const { user } = permission.value;
        if (names.has(user) || this.broker.access.user(user) !== null) return;
        throw permission.item.refusal(`there is no user '${user}'`);
      });
    }
  }

  private checkExchange(exchange: InVhost<ExchangeTraits>): void {
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

  private checkQueue(queue: InVhost<QueueTraits>): void {
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
      const limits = given.get(vhost.name) ?? vhost.traits.limits;
      const more = queues.size;
      const max = limitOf(limits['max-queues']);
      if (more === 0 || vhost.queues.size + more <= max) return;
      const what = `Adding ${more} queue(s) to virtual host "${vhost.name}"`;
      throw new Refusal('invalid', `${what} would exceed the limit of ${max} queue(s).`);
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
      this.warnings.push(`${item.describe()} is left out: ${end} is not there`);
      return;
    }
    item.attempt(() => checkBinding(source.type, value.bindingKey, value.arguments));
  }
}

function exchangeOf({ exchanges, vhost }: Planned, name: string): ExchangeTraits | undefined {
  return exchanges.get(name) ?? vhost.exchanges.get(name);
}

function queueOf({ queues, vhost }: Planned, name: string): QueueTraits | undefined {
  return queues.get(name) ?? vhost.queues.get(name);
}
