// Owns what tools see of vhosts, queues, exchanges, bindings and consumers: plain values, made when
// asked for. Never keeps anything, and hands out nothing that is alive.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { Walk } from '../../util/rows.ts';
import { argumentsToJson } from '../definitions/arguments-json.ts';
import { type Exchange, isExchange } from '../exchange/exchange.ts';
import type { Effective, Policies } from '../policy/policies.ts';
import type { Policy } from '../policy/policy.ts';
import { isQuorum } from '../queue/arguments.ts';
import type { Consumer } from '../queue/consumer.ts';
import type { Queue } from '../queue/queue.ts';
import type { Vhost } from '../vhost/vhost.ts';

/*
 * The fields have RabbitMQ's names, as its HTTP API and `rabbitmqctl list_*` show them: that is what
 * tools look for.
 */

/** A vhost with what lies in it. */
export interface VhostView {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly default_queue_type: string;
  readonly tracing: boolean;
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
}

/** What policies say of a queue or an exchange; no policy is ''. */
interface PolicyView {
  readonly policy: string;
  readonly operator_policy: string;
  readonly effective_policy_definition: JsonObject;
}

/** A queue with its counts. */
export interface QueueView extends PolicyView {
  readonly name: string;
  readonly vhost: string;
  readonly type: 'classic' | 'quorum';
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly exclusive: boolean;
  readonly arguments: JsonObject;
  readonly state: 'running' | 'set_aside';
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
  readonly message_bytes_ready: number;
  readonly consumers: number;
}

/** An exchange. */
export interface ExchangeView extends PolicyView {
  readonly name: string;
  readonly vhost: string;
  readonly type: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly internal: boolean;
  readonly arguments: JsonObject;
}

/** A binding by the names of its ends. */
export interface BindingView {
  readonly source: string;
  readonly vhost: string;
  readonly destination: string;
  readonly destination_type: 'queue' | 'exchange';
  readonly routing_key: string;
  readonly arguments: JsonObject;
}

/** A consumer. */
export interface ConsumerView {
  readonly vhost: string;
  readonly queue: string;
  readonly consumer_tag: string;
  readonly ack_required: boolean;
  readonly exclusive: boolean;
  readonly prefetch_count: number;
  readonly arguments: JsonObject;
}

/** A policy or an operator policy. */
export interface PolicyListing {
  readonly vhost: string;
  readonly name: string;
  readonly pattern: string;
  readonly 'apply-to': string;
  readonly definition: JsonObject;
  readonly priority: number;
}

/** A vhost with what its queues add up to. */
export function* viewVhost(vhost: Vhost): Walk<VhostView> {
  let ready = 0;
  let unacked = 0;
  for (const queue of vhost.queues.values()) {
    ready += queue.readyCount;
    unacked += queue.unackedCount;
    yield null;
  }
  const { name, description, tags, defaultQueueType, tracing } = vhost.snapshot();
  return {
    name,
    description,
    tags,
    default_queue_type: defaultQueueType ?? 'classic',
    tracing,
    messages: ready + unacked,
    messages_ready: ready,
    messages_unacknowledged: unacked,
  };
}

export function viewQueue(vhost: Vhost, queue: Queue): QueueView {
  queue.catchUp();
  return {
    name: queue.name,
    vhost: vhost.name,
    type: isQuorum(queue.arguments) ? 'quorum' : 'classic',
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    exclusive: queue.owner !== null,
    arguments: argumentsOf(queue),
    state: 'running',
    messages: queue.readyCount + queue.unackedCount,
    messages_ready: queue.readyCount,
    messages_unacknowledged: queue.unackedCount,
    message_bytes_ready: queue.readyBytes,
    consumers: queue.consumers.length,
    ...viewEffective(vhost.policies, queue),
  };
}

export function viewExchange(vhost: Vhost, exchange: Exchange): ExchangeView {
  return {
    name: exchange.name,
    vhost: vhost.name,
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    arguments: argumentsOf(exchange),
    ...viewEffective(vhost.policies, exchange),
  };
}

/** All bindings of a vhost. Those of queues to the default exchange, which no client made, come first. */
export function viewBindings(vhost: Vhost): BindingView[] {
  const found: BindingView[] = [];
  const none = new Map();
  const add = (source: string, to: Queue | Exchange, key: string, args: Queue['arguments']) => {
    const kind = isExchange(to) ? 'exchange' : 'queue';
    found.push(viewBinding(vhost, source, kind, to.name, key, args));
  };
  for (const queue of vhost.queues.values()) add('', queue, queue.name, none);
  for (const source of vhost.exchanges.values()) {
    for (const { destination, bindingKey, arguments: args } of source.bindings.values()) {
      add(source.name, destination, bindingKey, args);
    }
  }
  return found;
}

export function viewBinding(
  vhost: Vhost,
  source: string,
  kind: BindingView['destination_type'],
  destination: string,
  key: string,
  args: Queue['arguments'],
): BindingView {
  return {
    source,
    vhost: vhost.name,
    destination,
    destination_type: kind,
    routing_key: key,
    arguments: argumentsOf({ arguments: args }),
  };
}

export function viewConsumer(vhost: Vhost, queue: Queue, consumer: Consumer): ConsumerView {
  return {
    vhost: vhost.name,
    queue: queue.name,
    consumer_tag: consumer.tag,
    ack_required: !consumer.noAck,
    exclusive: consumer.exclusive,
    prefetch_count: consumer.prefetch,
    arguments: argumentsOf(consumer),
  };
}

export function viewPolicy(vhost: string, policy: Policy): PolicyListing {
  return {
    vhost,
    name: policy.name,
    pattern: policy.pattern.text,
    'apply-to': policy.applyTo,
    definition: policy.definition,
    priority: policy.priority,
  };
}

export function argumentsOf({ arguments: table }: Pick<Queue, 'arguments'>): JsonObject {
  return argumentsToJson(table)['arguments'] as JsonObject;
}

function viewEffective(policies: Policies, target: Queue | Exchange): PolicyView {
  const effective = policies.of(target);
  return {
    policy: effective.policy?.name ?? '',
    operator_policy: effective.operator?.name ?? '',
    effective_policy_definition: mergeDefinitions(effective),
  };
}

const NOTHING: JsonObject = {};

/** What both layers say together: of two limits the smaller holds, of anything else the operator's. */
export function mergeDefinitions({ policy, operator }: Effective): JsonObject {
  if (operator === null) return policy?.definition ?? NOTHING;
  const merged: Record<string, JsonValue> = { ...policy?.definition };
  for (const [key, value] of Object.entries(operator?.definition ?? {})) {
    const other = merged[key];
    const limits = typeof value === 'number' && typeof other === 'number';
    merged[key] = limits ? Math.min(value, other) : value;
  }
  return merged;
}
