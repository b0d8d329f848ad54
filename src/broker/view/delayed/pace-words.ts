// Owns how fast, in which order and how early a queue gives out its messages, in words. Never decides it: queue/pace/ and
// the rules of the queue do.

import type { QueueRules } from '../../queue/rules.ts';

/** What of the rules decides it. */
export type PaceRules = Pick<
  QueueRules,
  'deliveryRate' | 'groupHeader' | 'groupUnackedMax' | 'unackedMax' | 'deliversAfterCommit'
>;

/** Such as `50 in 60 s at most, evenly spaced.`; in order, and as fast as they come and consumers take them: empty. */
export function paceWords(rules: PaceRules, durable: boolean): string {
  const waits = durable && rules.deliversAfterCommit;
  const disk = waits ? 'Persistent messages once the disk has them.' : '';
  return [rateWords(rules), groupWords(rules), disk].filter((text) => text !== '').join(' ');
}

function rateWords({ deliveryRate: rate }: PaceRules): string {
  if (rate === null) return '';
  const { count, per, burst } = rate;
  return `${count} in ${per} at most${burstWords(count, burst)}.`;
}

function groupWords({ groupHeader, groupUnackedMax, unackedMax }: PaceRules): string {
  if (groupHeader !== null) {
    return `Groups by the header ${groupHeader} in turns, ${groupUnackedMax} unacked at a time of each.`;
  }
  return unackedMax === Infinity ? '' : `${unackedMax} unacked at a time at most.`;
}

function burstWords(count: number, burst: number): string {
  if (burst === count) return '';
  return burst === 1 ? ', evenly spaced' : `, and ${burst} at once after a quiet time`;
}
