// Owns the shape of one thing that can be said of a queue, and of which types of queues it can be. Never holds one:
// queue-arguments.ts and the tables beside it do.

import type { QueueTypeName } from '../types/registry.ts';
import type { ArgumentValue } from './argument-values.ts';
import type { PolicyValue } from './policy-values.ts';

/** One thing that can be said of a queue. */
export interface QueueSetting<K extends string = string> {
  /** Its name in a policy; the argument has `x-` before it. */
  readonly key: K;
  /** What it does, for people. */
  readonly about: string;
  /** What the argument takes; null: there is none. Redeclaring compares all arguments that there are. */
  readonly argument: ArgumentValue | null;
  /** What the key takes in a policy; null: policies cannot set it. */
  readonly policy: PolicyValue | null;
}

/** What is said of all that is taken for the sake of clients and files alone. */
export const NO_EFFECT = 'Taken and kept; without effect.';

export const MS = 'in milliseconds';
export const CLASSICS = { onlyFor: ['classic'] } as const;
export const QUORUMS = { onlyFor: ['quorum'] } as const;
export const STREAMS = { onlyFor: ['stream'] } as const;

/** Those whose messages go as they are consumed. */
export const QUEUES: readonly QueueTypeName[] = ['classic', 'quorum'];

/** What can be said of queues of each type. */
export const rowForAll = <K extends string>(
  key: K,
  argument: ArgumentValue | null,
  policy: PolicyValue | null,
  about: string,
): QueueSetting<K> => ({ key, argument, policy, about });

/** What cannot be said of streams, where it does not name its types itself. */
export const row = <K extends string>(
  key: K,
  argument: ArgumentValue | null,
  policy: PolicyValue | null,
  about: string,
): QueueSetting<K> =>
  rowForAll(key, argument && notForStreams(argument), policy && notForStreams(policy), about);

function notForStreams<T extends { readonly onlyFor: readonly QueueTypeName[] | null }>(
  value: T,
): T {
  return value.onlyFor === null ? { ...value, onlyFor: QUEUES } : value;
}
