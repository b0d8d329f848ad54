// Owns what a queue goes by: its arguments, its policy and the operator's, merged. Never acts on a
// rule: queue.ts and endings/ do.

import type { Field, FieldTable } from '../../amqp/field-table.ts';
import type { ExactText } from '../../util/bytes.ts';
import type { DeadLetterStrategy } from '../stats/counts.ts';
import type {
  Overflow,
  QueueSettingKey,
  RetryType,
  TimeoutAction,
} from './arguments/queue-arguments.ts';
import { DELAY_MAX_MS } from './delay/delay-headers.ts';
import { RETRY_LIMIT, type RetryRule } from './delay/retry.ts';
import { type DuplicateRule, duplicateRule } from './duplicates/duplicate-rule.ts';
import { type DeliveryRate, leastRate, readRate } from './pace/delivery-rate.ts';
import { queueTypeOf } from './types/registry.ts';

/** What a policy sets, by its keys: those of the arguments without `x-`. */
export type PolicyDefinition = ReadonlyMap<string, string | number | bigint | boolean>;

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
  /** How dead letters are counted, in RabbitMQ's words. */
  readonly deadLetterStrategy: DeadLetterStrategy;
  /** How long a message waits before it is ready, ms; 0: not at all. */
  readonly messageDelayMs: number;
  /** How often a message may come back. */
  readonly deliveryLimit: number;
  /** The most that a message may ask for of that: the operator's limit. */
  readonly deliveryLimitMax: number;
  /** How long what came back waits before it goes out again; null: it does not. */
  readonly retry: RetryRule | null;
  /** Whether one that came back may have done so too often, or waits. */
  readonly limitsReturns: boolean;
  /** How long a delivery may stay unacked, ms; null: as the settings say. */
  readonly consumerTimeoutMs: number | null;
  /** What becomes of one that does so for longer; null: as the settings say. */
  readonly consumerTimeoutAction: TimeoutAction | null;
  /** The highest priority told apart; 0: priorities mean nothing. */
  readonly priorityMax: number;
  /** The priority of a message that names none. */
  readonly priorityDefault: number;
  readonly singleActiveConsumer: boolean;
  /** Whether such a consumer hands over to a connection that has less to do. */
  readonly singleActiveSpread: boolean;
  /** The header by whose value messages belong to groups; null: there are no groups. */
  readonly groupHeader: ExactText | null;
  /** How many messages of one group may be unacked at a time, where there are groups; and else of the queue. */
  readonly groupUnackedMax: number;
  readonly unackedMax: number;
  /** How fast messages go out; null: as fast as consumers take them. */
  readonly deliveryRate: DeliveryRate | null;
  /** How duplicates are told; null: they are not. */
  readonly duplicates: DuplicateRule | null;
  /** Whether stored messages go out only once a durable batch has them. */
  readonly deliversAfterCommit: boolean;
}

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
  const argument = (key: QueueSettingKey): unknown => args.get(`x-${key}`)?.value;
  const least = (key: QueueSettingKey): number =>
    Math.min(numberOf(argument(key)), numberOf(policy?.get(key)), numberOf(operator?.get(key)));
  const exact = (key: QueueSettingKey): ExactText | null =>
    textOf(args.get(`x-${key}`)) ?? policyText(operator, key) ?? policyText(policy, key);
  const chosen = (key: QueueSettingKey): string | null => exact(key)?.toString() ?? null;
  const setting = (key: QueueSettingKey): unknown =>
    argument(key) ?? operator?.get(key) ?? policy?.get(key);
  const type = queueTypeOf(args);
  const given = (key: QueueSettingKey): boolean =>
    [argument(key), policy?.get(key), operator?.get(key)].some((value) => value !== undefined);
  const retry = retryOf(least, chosen, operator);
  const overflow = (chosen('overflow') ?? 'drop-head') as Overflow;
  const deadLetterExchange = chosen('dead-letter-exchange');
  // As in RabbitMQ, which falls back to at-most-once elsewhere. Here each of them is moved in one step.
  const surely =
    chosen('dead-letter-strategy') === 'at-least-once' &&
    overflow === 'reject-publish' &&
    type.hasMembers;
  const deliveryLimit =
    retry !== null && !given('delivery-limit') ? RETRY_LIMIT : least('delivery-limit');
  const messageDelayMs = least('message-delay');
  const consumerTimeoutMs = least('consumer-timeout');
  const groupHeader = textOf(args.get('x-group-header'));
  // In a queue with groups priorities mean nothing.
  const priorityMax = groupHeader === null ? numberOf(argument('max-priority')) : 0;
  const concurrency = least('group-concurrency');
  return {
    messageTtlMs: least('message-ttl'),
    expiresMs: least('expires'),
    lengthMax: least('max-length'),
    lengthBytesMax: least('max-length-bytes'),
    overflow,
    deadLetterExchange,
    deadLetterRoutingKey: exact('dead-letter-routing-key'),
    deadLetterStrategy:
      deadLetterExchange === null ? 'disabled' : surely ? 'at_least_once' : 'at_most_once',
    messageDelayMs: messageDelayMs === Infinity ? 0 : messageDelayMs,
    deliveryLimit,
    deliveryLimitMax: numberOf(operator?.get('delivery-limit')),
    retry,
    limitsReturns: retry !== null || deliveryLimit !== Infinity,
    consumerTimeoutMs: consumerTimeoutMs === Infinity ? null : consumerTimeoutMs,
    consumerTimeoutAction: chosen('consumer-timeout-action') as TimeoutAction | null,
    priorityMax: priorityMax === Infinity ? type.priorityMax : priorityMax,
    priorityDefault: Math.min(type.priorityDefault, priorityMax),
    singleActiveConsumer: argument('single-active-consumer') === true,
    singleActiveSpread: setting('single-active-consumer-spread') === true,
    groupHeader,
    groupUnackedMax: concurrency === Infinity ? 1 : concurrency,
    unackedMax: groupHeader === null ? concurrency : Infinity,
    deliveryRate: rateOf(args, policy, operator, least('delivery-burst')),
    // As in RabbitMQ's plugin, a policy wins over an argument.
    duplicates: duplicateRule((key) => policy?.get(key) ?? argument(key)),
    deliversAfterCommit: setting('deliver-after-commit') === true,
  };
}

/** The least of all rates, with so many at once; where an operator sets a rate alone, that bounds these as well. */
function rateOf(
  args: FieldTable,
  policy: PolicyDefinition | null,
  operator: PolicyDefinition | null,
  burst: number,
): DeliveryRate | null {
  const key: QueueSettingKey = 'delivery-rate';
  const operators = readRate(policyText(operator, key) ?? '');
  const others = [textOf(args.get(`x-${key}`))?.toString(), policyText(policy, key)];
  const rate = leastRate([operators, ...others.map((text) => readRate(text ?? ''))]);
  if (rate === null || burst === Infinity) return rate;
  const burstMax = operator?.has('delivery-burst') ? Infinity : (operators?.burst ?? Infinity);
  return { ...rate, burst: Math.min(burst, burstMax) };
}

/** How what came back is tried again, where anything says so. */
function retryOf(
  least: (key: QueueSettingKey) => number,
  chosen: (key: QueueSettingKey) => string | null,
  operator: PolicyDefinition | null,
): RetryRule | null {
  const minMs = least('delayed-retry-min');
  const type = (chosen('delayed-retry-type') ?? 'all') as RetryType;
  if (type === 'disabled' || minMs === Infinity || minMs === 0) return null;
  const multiplier = least('delayed-retry-multiplier');
  const jitter = least('delayed-retry-jitter');
  return {
    type,
    minMs,
    maxMs: Math.min(least('delayed-retry-max'), DELAY_MAX_MS),
    multiplier: multiplier === Infinity ? null : multiplier,
    jitter: jitter === Infinity ? 0 : jitter,
    ownMinMs: numberOf(operator?.get('delayed-retry-min')),
    ownMultiplier: numberOf(operator?.get('delayed-retry-multiplier')),
  };
}

/** A limit as an argument or a policy has it; Infinity: there is none, for which -1 stands too. */
export function numberOf(value: unknown): number {
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

/** Whether there is a limit to what may be ready. */
export function isBounded({ lengthMax, lengthBytesMax }: QueueRules): boolean {
  return lengthMax !== Infinity || lengthBytesMax !== Infinity;
}

/** Whether a message is looked at as it comes: it may be refused, or wait, for the disk as well, or belongs to a group. */
export function looksAtPushes(rules: QueueRules): boolean {
  if (rules.messageDelayMs > 0 || rules.groupHeader !== null || rules.deliversAfterCommit)
    return true;
  return isBounded(rules) && rules.overflow !== 'drop-head';
}

/** Whether time means something for each message, or for the queue. */
export function isTimed({ messageTtlMs, expiresMs, deliveryRate }: QueueRules): boolean {
  return messageTtlMs !== Infinity || expiresMs !== Infinity || deliveryRate !== null;
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
