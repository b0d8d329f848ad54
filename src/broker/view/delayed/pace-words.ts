// Owns how fast a queue gives out its messages, in words. Never decides it: queue/pace/ and the rules of the queue do.

import type { QueueRules } from '../../queue/rules.ts';

/** What of the rules decides it. */
export type PaceRules = Pick<QueueRules, 'deliveryRate'>;

/** Such as `50 in 60 s at most, evenly spaced.`; as fast as consumers take them: empty. */
export function paceWords({ deliveryRate: rate }: PaceRules): string {
  if (rate === null) return '';
  const { count, per, burst } = rate;
  return `${count} in ${per} at most${burstWords(count, burst)}.`;
}

function burstWords(count: number, burst: number): string {
  if (burst === count) return '';
  return burst === 1 ? ', evenly spaced' : `, and ${burst} at once after a quiet time`;
}
