// Owns whether definitions can be had beside what a broker holds: all that applying them could meet.
// Never changes anything.

import { limitOf } from '../access/limits.ts';
import type { Broker } from '../broker.ts';
import {
  checkBinding,
  checkExchangeDeclaration,
  checkQueueDeclaration,
  RESERVED_PREFIX,
} from '../declare-rules.ts';
import type { ExchangeTraits } from '../exchange/exchange.ts';
import type { QueueTraits } from '../queue/host.ts';
import { Refusal } from '../refusal.ts';
import { Vhost } from '../vhost.ts';
import type { Item } from './item.ts';
import type { BindingDefinition, Definitions, InVhost } from './read.ts';

/** What came out: the items to leave out, and why, for the log. */
export interface Checked {
  readonly left: ReadonlySet<Item>;
  readonly warnings: readonly string[];
}

/** A vhost as it will be. */
interface Planned {
  readonly vhost: Vhost;
  readonly exchanges: Map<string, ExchangeTraits>;
  readonly queues: Map<string, QueueTraits>;
}

/** Throws a Refusal that names the first item that cannot be had. Stops on the way for others to have their turn. */
export function checkDefinitions(
  broker: Broker,
  definitions: Definitions,
): Generator<undefined, Checked, undefined> {
  return new Check(broker, definitions).run();
}

/** So many items between two moments at which others may have their turn. */
export const ITEMS_PER_STEP = 16;

/** Does something with each item of a list, in steps. */
export function* inSteps<T>(
  items: readonly T[],
  act: (item: T) => void,
): Generator<undefined, void, undefined> {
  for (const [at, item] of items.entries()) {
    act(item);
    if (at % ITEMS_PER_STEP === ITEMS_PER_STEP - 1) yield;
  }
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

  *run(): Generator<undefined, Checked, undefined> {
    const { definitions } = this;
    for (const vhost of this.broker.vhosts.values()) this.plan(vhost);
    for (const { value } of definitions.vhosts) {
      if (!this.planned.has(value.name)) this.plan(new Vhost(value.name, this.broker));
    }
    const { vhostLimits, parameters, policies } = definitions;
    for (const each of [...vhostLimits, ...parameters, ...policies]) this.in(each);
    this.checkUsers();
    yield* inSteps(definitions.exchanges, (exchange) => this.checkExchange(exchange));
    yield* inSteps(definitions.queues, (queue) => this.checkQueue(queue));
    this.checkQueueLimits();
    yield* inSteps(definitions.bindings, (binding) => this.checkBinding(binding));
    return { left: this.left, warnings: this.warnings };
  }

  private plan(vhost: Vhost): void {
    const { exchanges, queues } = vhost;
    const planned = { vhost, exchanges: new Map(exchanges), queues: new Map(queues) };
    this.planned.set(vhost.name, planned);
  }

  /** The vhost of an item. */
  private in({ item, vhost }: InVhost<unknown>): Planned {
    const planned = this.planned.get(vhost);
    if (planned === undefined) throw item.refusal(`there is no vhost '${vhost}'`);
    return planned;
  }

  private checkUsers(): void {
    const { users, permissions, topicPermissions } = this.definitions;
    const names = new Set(users.map(({ value }) => value.name));
    for (const permission of [...permissions, ...topicPermissions]) {
      this.in(permission);
      const { user } = permission.value;
      if (names.has(user) || this.broker.access.user(user) !== null) continue;
      throw permission.item.refusal(`there is no user '${user}'`);
    }
  }

  private checkExchange(exchange: InVhost<ExchangeTraits>): void {
    const { item, vhost, value } = exchange;
    const { exchanges } = this.in(exchange);
    // They are there from the start, or belong to a plugin of RabbitMQ.
    if (value.name === '' || value.name.startsWith(RESERVED_PREFIX)) {
      this.left.add(item);
      return;
    }
    item.attempt(() => checkExchangeDeclaration(vhost, exchanges.get(value.name), value));
    exchanges.set(value.name, value);
  }

  private checkQueue(queue: InVhost<QueueTraits>): void {
    const { item, vhost, value } = queue;
    const { queues } = this.in(queue);
    item.attempt(() => checkQueueDeclaration(vhost, queues.get(value.name), value, null));
    if (!queues.has(value.name)) queues.set(value.name, value);
  }

  private checkQueueLimits(): void {
    for (const { vhost, queues } of this.planned.values()) {
      const given = this.definitions.vhostLimits.findLast((each) => each.vhost === vhost.name);
      const limits = given?.value ?? vhost.traits.limits;
      const more = queues.size - vhost.queues.size;
      const max = limitOf(limits['max-queues']);
      if (more === 0 || queues.size <= max) continue;
      const what = `Adding ${more} queue(s) to virtual host "${vhost.name}"`;
      throw new Refusal('invalid', `${what} would exceed the limit of ${max} queue(s).`);
    }
  }

  /** RabbitMQ's exports hold bindings of queues that they leave out. */
  private checkBinding(binding: InVhost<BindingDefinition>): void {
    const { item, value } = binding;
    const { exchanges, queues } = this.in(binding);
    const source = exchanges.get(value.source);
    const destination = (value.toExchange ? exchanges : queues).get(value.destination);
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
