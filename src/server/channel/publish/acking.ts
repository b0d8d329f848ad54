// Owns the order in which a publish to very many queues acks deliveries: when all have it, and only if none refused it.
// Never puts it into queues.

import type { Steps } from '../../../broker/turn/slices.ts';
import type { AckedDeliveries } from './publisher-channel.ts';
import type { CommitOutcome } from './transaction.ts';

/** Takes the steps of a publish that acks deliveries, and then acks them. `promised`: they wait for that. */
export function* acking(
  steps: Steps,
  acks: readonly number[],
  deliveries: AckedDeliveries,
  outcome: CommitOutcome,
  promised: boolean,
): Steps {
  const before = outcome.refused;
  outcome.refused = false;
  yield* steps;
  if (!outcome.refused && deliveries.ackAll(acks)) outcome.stored = true;
  if (before) outcome.refused = true;
  if (promised) yield* deliveries.promiseOver();
}
