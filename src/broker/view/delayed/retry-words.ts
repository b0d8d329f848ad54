// Owns what a queue does with messages that come back, in words. Never decides it: queue/delay/retry.ts and the rules of
// the queue do.

import { type RetryRule, retryDelayMs } from '../../queue/delay/retry.ts';
import type { QueueRules } from '../../queue/rules.ts';

/** So many delays are named; of more than that the first few. */
const NAMED_MAX = 4;
const NAMED_FIRST = 3;

/** What of the rules decides it. */
export type ReturnRules = Pick<
  QueueRules,
  'retry' | 'deliveryLimit' | 'deadLetterExchange' | 'deadLetterRoutingKey'
>;

/** Such as `What comes back waits 3 s, then 6 s, up to 3 attempts; then it is dead-lettered to failed.` */
export function retryWords(rules: ReturnRules): string {
  const { retry, deliveryLimit: limit } = rules;
  const end = endOf(rules);
  if (limit === 0) return `What comes back does not go out again: it is ${end}.`;
  const until =
    limit === Infinity
      ? 'as often as it comes back'
      : `up to ${limit + 1} attempts; then it is ${end}`;
  if (retry === null) return `What comes back is ready again at once, ${until}.`;
  const how = `waits ${delaysOf(retry, limit)}${chanceWords(retry)}, ${until}.`;
  switch (retry.type) {
    case 'returned':
      return `What comes back by basic.nack ${how} What is rejected, or comes back as a channel or a lease ends, is ready again at once, and counts.`;
    case 'failed':
      return `What is rejected, or comes back as a channel or a lease ends, ${how} What comes back by basic.nack is ready again at once, and counts.`;
    default:
      return `What comes back ${how}`;
  }
}

function endOf({ deadLetterExchange: exchange, deadLetterRoutingKey: key }: ReturnRules): string {
  if (exchange === null) return 'dropped';
  const to = exchange === '' ? 'the default exchange' : exchange;
  return `dead-lettered to ${to}${key === null ? '' : ` with the key ${key}`}`;
}

/** `3 s, then 6 s, 12 s ... at most 1 min`, or `3 s each time`. */
function delaysOf(retry: RetryRule, limit: number): string {
  const all = Math.min(limit, NAMED_MAX + 1);
  const delays = Array.from({ length: all }, (_, n) => retryDelayMs(sure(retry), null, n + 1, 0));
  const [first = 0] = delays;
  const [text = '', ...more] = delays.map(timeWords);
  if (limit === 1) return text;
  const longest = limit === Infinity ? Infinity : limit;
  const lastMs = retryDelayMs(sure(retry), null, Math.min(longest, 10_000), 0);
  if (lastMs === first) return `${text} each time`;
  if (limit <= NAMED_MAX) return `${text}, then ${more.join(', ')}`;
  const named = more.slice(0, NAMED_FIRST - 1).join(', ');
  const capped = limit === Infinity || lastMs === retry.maxMs;
  return `${text}, then ${named} ... ${capped ? 'at most' : 'and in the end'} ${timeWords(lastMs)}`;
}

/** The rule without what is left to chance. */
function sure(retry: RetryRule): RetryRule {
  return { ...retry, jitter: 0 };
}

function chanceWords({ jitter }: RetryRule): string {
  if (jitter === 0) return '';
  return ` (less up to ${Math.round(jitter * 1000) / 10} % of it, by chance)`;
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** A time in its two largest units: `1 h 30 min`, `3 s`, `1.5 s`, `200 ms`. */
function timeWords(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  const parts: string[] = [];
  let left = ms;
  for (const [unit, name] of UNITS) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(' ');
}
