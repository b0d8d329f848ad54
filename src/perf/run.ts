// Owns the course of a load test: declaring, starting, looking each second, ending. Never prints.

import type { UserError } from '../util/user-error.ts';
import { parseAmqpUrl } from './connection.ts';
import { Consumer } from './consumer.ts';
import { declareAll } from './declare.ts';
import { Latencies } from './latencies.ts';
import type { PerfPlan } from './plan.ts';
import { Producer } from './producer.ts';
import type { Tally } from './tally.ts';

/** Consumers may have so long after the last publish, as long as messages still come. */
const DRAIN_QUIET_MS = 1000;
const INTERVAL_MS = 1000;

/** What happened in one second. */
export interface Interval {
  /** Seconds since the start. */
  readonly at: number;
  readonly sentRate: number;
  readonly receivedRate: number;
  readonly confirmedRate: number;
  readonly consumerLatency: Latencies;
  readonly confirmLatency: Latencies;
  /** Why the broker blocks a producer, or ''. */
  readonly blocked: string;
  /** How many ends have no connection, of how many, and what one of them says. */
  readonly down: { readonly count: number; readonly of: number; readonly why: string };
}

/** What happened in all. */
export interface PerfResult {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly redelivered: number;
  readonly confirmed: number;
  readonly nacked: number;
  readonly returned: number;
  readonly unconfirmed: number;
  readonly reconnects: number;
  readonly outageMaxMs: number;
  readonly consumerLatency: Latencies;
  readonly confirmLatency: Latencies;
}

/** The clock that all latencies are taken by, ms. */
const clock = (): number => performance.now();

class Counts implements Tally {
  sent = 0;
  received = 0;
  redelivered = 0;
  confirmed = 0;
  nacked = 0;
  returned = 0;
  unconfirmed = 0;
  lost = 0;
  reconnects = 0;
  outageMaxMs = 0;
  readonly consumerLatency = new Latencies();
  readonly confirmLatency = new Latencies();
  readonly now = clock;
  error: UserError | null = null;
  /** Called as soon as something fails. */
  onFailure = (): void => {};

  failed(error: UserError): void {
    this.error ??= error;
    this.onFailure();
  }
}

/** Both kinds of latencies: of all, and of the second that passes. */
class DoubleLatencies extends Latencies {
  readonly recent = new Latencies();

  override add(ms: number): void {
    super.add(ms);
    this.recent.add(ms);
  }
}

/** Runs a load test until its end, or until `stop` is aborted; `onNote` is told of hosts left out. Rejects with a UserError. */
export async function runPerf(
  plan: PerfPlan,
  stop: AbortSignal,
  onInterval: (interval: Interval) => void,
  onNote: (text: string) => void = () => {},
): Promise<PerfResult> {
  const addresses = plan.urls.map(parseAmqpUrl);
  const counts = Object.assign(new Counts(), {
    consumerLatency: new DoubleLatencies(),
    confirmLatency: new DoubleLatencies(),
  });
  await declareAll(plan, addresses, onNote);
  const queueOf = (i: number): string => plan.queues[i % plan.queues.length] as string;
  const producers = Array.from(
    { length: plan.producers },
    (_, i) => new Producer(plan, queueOf(i), addresses, i, counts),
  );
  const consumers = Array.from(
    { length: plan.consumers },
    (_, i) => new Consumer(plan, queueOf(i), addresses, i, counts),
  );
  const course = new Course(plan, stop, counts, producers, consumers);
  try {
    // An end and its counterpart have the same number, so that both are at the same broker.
    for (const end of [...consumers, ...producers]) await end.start();
    const seconds = await course.run(onInterval);
    if (counts.error !== null) throw counts.error;
    return { seconds, ...pick(counts) };
  } finally {
    await Promise.all([...producers, ...consumers].map((each) => each.close()));
  }
}

function pick(counts: Counts): Omit<PerfResult, 'seconds'> {
  const { sent, received, redelivered, confirmed, nacked, returned, unconfirmed } = counts;
  const { reconnects, outageMaxMs, consumerLatency, confirmLatency } = counts;
  const messages = { sent, received, redelivered, confirmed, nacked, returned, unconfirmed };
  return { ...messages, reconnects, outageMaxMs, consumerLatency, confirmLatency };
}

/** The time from the first publish to the end. */
class Course {
  private readonly plan: PerfPlan;
  private readonly stop: AbortSignal;
  private readonly counts: Counts & {
    readonly consumerLatency: DoubleLatencies;
    readonly confirmLatency: DoubleLatencies;
  };
  private readonly producers: readonly Producer[];
  private readonly ends: readonly (Producer | Consumer)[];
  private wake = (): void => {};

  constructor(
    plan: PerfPlan,
    stop: AbortSignal,
    counts: Course['counts'],
    producers: readonly Producer[],
    consumers: readonly Consumer[],
  ) {
    this.ends = [...producers, ...consumers];
    this.plan = plan;
    this.stop = stop;
    this.counts = counts;
    this.producers = producers;
    stop.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Resolves with how many seconds it took. */
  async run(onInterval: (interval: Interval) => void): Promise<number> {
    const { counts, plan, producers } = this;
    const beganMs = clock();
    let [sent, received, confirmed, atMs] = [0, 0, 0, beganMs];
    const tell = (): void => {
      const nowMs = clock();
      const seconds = (nowMs - atMs) / 1000;
      if (seconds <= 0) return;
      onInterval({
        at: (nowMs - beganMs) / 1000,
        sentRate: (counts.sent - sent) / seconds,
        receivedRate: (counts.received - received) / seconds,
        confirmedRate: (counts.confirmed - confirmed) / seconds,
        consumerLatency: counts.consumerLatency.recent,
        confirmLatency: counts.confirmLatency.recent,
        blocked: producers.find((each) => each.blocked !== '')?.blocked ?? '',
        down: this.down(),
      });
      counts.consumerLatency.recent.clear();
      counts.confirmLatency.recent.clear();
      [sent, received, confirmed, atMs] = [counts.sent, counts.received, counts.confirmed, nowMs];
    };
    const timer = setInterval(tell, INTERVAL_MS);
    for (const producer of producers) producer.go();
    const lastMs = await this.ended(beganMs + plan.seconds * 1000);
    clearInterval(timer);
    for (const producer of producers) producer.stop();
    return (lastMs - beganMs) / 1000;
  }

  private down(): Interval['down'] {
    const down = this.ends.filter(({ trouble }) => trouble !== '');
    return { count: down.length, of: this.ends.length, why: down[0]?.trouble ?? '' };
  }

  /** Resolves with when the last thing happened. */
  private async ended(untilMs: number): Promise<number> {
    const { counts, producers, plan, stop } = this;
    let seen = -1;
    let seenMs = clock();
    for (;;) {
      const nowMs = clock();
      const total = counts.received + counts.redelivered + counts.sent + counts.confirmed;
      // What comes after a reconnect is waited for.
      if (total !== seen || this.down().count > 0) [seen, seenMs] = [total, nowMs];
      if (stop.aborted || counts.error !== null || nowMs >= untilMs) return nowMs;
      const published = plan.messages !== Infinity && producers.every(({ done }) => done);
      const all = plan.consumers === 0 || counts.received >= counts.sent;
      if (published && (all || nowMs - seenMs > DRAIN_QUIET_MS)) return seenMs;
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 20);
      const now = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.counts.onFailure = now;
      this.wake = now;
    });
  }
}
