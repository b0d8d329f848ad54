// Owns what a queue goes by: its arguments, its policy and the operator's, merged. Never acts on a
// rule: queue.ts does.

import type { Field, FieldTable } from '../../amqp/field-table.ts';
import type { ExactText } from '../../util/bytes.ts';
import { isQuorum } from './arguments.ts';

/** What a policy sets, by its keys: those of the arguments without `x-`. */
export type PolicyDefinition = ReadonlyMap<string, string | number | boolean>;

/** What becomes of a message that a full queue has no place for. */
export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

/** The rules of one queue. No limit is Infinity. */
export interface QueueRules {
  /** How long a message may wait, ms. */
  readonly messageTtlMs: number;
  /** How long the queue may go unused, ms. */
  readonly expiresMs: number;
  readonly lengthMax: number;
  readonly lengthBytesMax: number;
  readonly overflow: Overflow;
  /** Where dead messages go; null: nowhere. */
  readonly deadLetterExchange: string | null;
  readonly deadLetterRoutingKey: ExactText | null;
  /** How often a message may come back. */
  readonly deliveryLimit: number;
  /** Whether returns are counted, for the limit or for `x-delivery-count`. */
  readonly countsReturns: boolean;
  /** How long a delivery may stay unacked, ms; null: as the settings say. */
  readonly consumerTimeoutMs: number | null;
  /** The highest priority told apart; 0: priorities mean nothing. */
  readonly priorityMax: number;
  /** The priority of a message that names none. */
  readonly priorityDefault: number;
  readonly singleActiveConsumer: boolean;
}

/** Quorum queues tell 32 priorities apart, as from RabbitMQ 4.3 on. */
const QUORUM_PRIORITY_MAX = 31;
const QUORUM_PRIORITY_DEFAULT = 4;

/**
 * Merges as RabbitMQ does: of times, lengths and counts the smallest of argument, policy and
 * operator policy holds; of anything else the argument, or else the operator policy, or else the
 * policy.
 */
export function rulesOf(
  args: FieldTable,
  policy: PolicyDefinition | null,
  operator: PolicyDefinition | null,
): QueueRules {
  const least = (key: string): number =>
    Math.min(
      numberOf(args.get(`x-${key}`)?.value),
      numberOf(policy?.get(key)),
      numberOf(operator?.get(key)),
    );
  const exact = (key: string): ExactText | null =>
    textOf(args.get(`x-${key}`)) ?? policyText(operator, key) ?? policyText(policy, key);
  const chosen = (key: string): string | null => exact(key)?.toString() ?? null;
  const quorum = isQuorum(args);
  const deliveryLimit = least('delivery-limit');
  const consumerTimeoutMs = least('consumer-timeout');
  const priorityMax = numberOf(args.get('x-max-priority')?.value);
  return {
    messageTtlMs: least('message-ttl'),
    expiresMs: least('expires'),
    lengthMax: least('max-length'),
    lengthBytesMax: least('max-length-bytes'),
    overflow: (chosen('overflow') ?? 'drop-head') as Overflow,
    deadLetterExchange: chosen('dead-letter-exchange'),
    deadLetterRoutingKey: exact('dead-letter-routing-key'),
    deliveryLimit,
    countsReturns: quorum || deliveryLimit !== Infinity,
    consumerTimeoutMs: consumerTimeoutMs === Infinity ? null : consumerTimeoutMs,
    priorityMax: priorityMax === Infinity ? (quorum ? QUORUM_PRIORITY_MAX : 0) : priorityMax,
    priorityDefault: quorum ? Math.min(QUORUM_PRIORITY_DEFAULT, priorityMax) : 0,
    singleActiveConsumer: args.get('x-single-active-consumer')?.value === true,
  };
}

/** -1 stands for no limit. */
function numberOf(value: unknown): number {
  if (typeof value !== 'number' && typeof value !== 'bigint') return Infinity;
  const number = Number(value);
  return number >= 0 ? number : Infinity;
}

function textOf(field: Field | undefined): ExactText | null {
  return field?.type === 'S' ? field.value : null;
}

function policyText(definition: PolicyDefinition | null, key: string): string | null {
  const value = definition?.get(key);
  return typeof value === 'string' ? value : null;
}

/** What a queue of these rules has ready. */
interface Ready {
  readonly readyCount: number;
  readonly readyBytes: number;
}

/** Whether what is ready, and so much more, is more than may be. */
export function isOver(
  { lengthMax, lengthBytesMax }: QueueRules,
  { readyCount, readyBytes }: Ready,
  moreCount: number,
  moreBytes: number,
): boolean {
  return readyCount + moreCount > lengthMax || readyBytes + moreBytes > lengthBytesMax;
}
