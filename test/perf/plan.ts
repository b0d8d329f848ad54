// Owns the plan that tests of the load tester change: one producer, one consumer, small bodies. Never runs it.

import type { PerfPlan } from '../../src/perf/plan.ts';

/** A plan for some hosts, with what a test asks for. */
export function planFor(
  urls: PerfPlan['urls'],
  changes: Partial<PerfPlan> & Pick<PerfPlan, 'queues' | 'seconds' | 'messages'>,
): PerfPlan {
  return {
    urls,
    producers: 1,
    consumers: 1,
    exchange: '',
    exchangeType: 'direct',
    routingKey: null,
    bodyBytes: 12,
    persistent: false,
    durable: false,
    queueArguments: new Map(),
    mandatory: false,
    confirmWindow: 0,
    rate: 0,
    prefetch: 0,
    autoAck: false,
    ackEvery: 1,
    run: 7,
    predeclared: false,
    ...changes,
  };
}
