// Owns how long a stream keeps its messages: its arguments, its policy and the operator's, merged. Never takes one away.

import type { FieldTable } from '../../../amqp/field-table.ts';
import type { QueueSettingKey } from '../arguments/queue-arguments.ts';
import { numberOf, type PolicyDefinition } from '../rules.ts';
import { readAge } from './age.ts';

/** How much a stream keeps. No limit is Infinity. */
export interface StreamRules {
  /** How old a message may be, ms. */
  readonly maxAgeMs: number;
  readonly lengthMax: number;
  /** How many bytes all bodies have at most. */
  readonly lengthBytesMax: number;
}

/**
 * Merges as RabbitMQ does for streams, unlike those of other queues: what a policy sets wins over the argument, be it
 * more or less; what the operator's policy sets is the most that there can be of either.
 */
export function streamRulesOf(
  args: FieldTable,
  policy: PolicyDefinition | null,
  operator: PolicyDefinition | null,
): StreamRules {
  const limit = (key: QueueSettingKey, read: (value: unknown) => number): number => {
    const ours = policy?.get(key) ?? args.get(`x-${key}`)?.value;
    return Math.min(read(ours), read(operator?.get(key)));
  };
  return {
    maxAgeMs: limit('max-age', ageOf),
    lengthMax: limit('max-length', numberOf),
    lengthBytesMax: limit('max-length-bytes', numberOf),
  };
}

function ageOf(value: unknown): number {
  return typeof value === 'string' ? (readAge(value) ?? Infinity) : Infinity;
}
