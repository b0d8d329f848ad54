// Owns looking at a broker for its history: all queues, vhosts and connections once in 5 s, a little at a time. Never
// keeps anything: stats/history does. What it looks at are plain numbers, so that a queue without traffic costs a few
// additions.

import type { Walk } from '../../../util/rows.ts';
import type { Broker } from '../../broker.ts';
import type { AnyQueue } from '../../queue/types/create-queue.ts';
import { COUNT_FIELDS, Traffic } from '../../stats/counts.ts';
import { QUEUE_COUNTS } from '../../stats/history/history.ts';
import type { Vhost } from '../../vhost/vhost.ts';
import { levelsOfQueue, tallyOf } from '../queues/any-queue.ts';
import type { ServerPort } from '../server-port.ts';

/** What the process around the broker knows. */
export interface ProcessLevels {
  readonly openFiles: number;
}

/** What a vhost, or all of a broker, comes to. */
class Sum {
  readonly traffic = new Traffic();
  ready = 0;
  unacked = 0;
  queues = 0;
  consumers = 0;
  exchanges = 0;

  /** In the order of VHOST_FIELDS. */
  values(): number[] {
    const { traffic, ready, unacked } = this;
    const { messages, received, sent } = traffic;
    return [...COUNT_FIELDS.map((field) => messages[field]), received, sent, ready, unacked];
  }
}

/** Takes in what is true of a broker now. */
export function* lookAtAll(broker: Broker, host: ServerPort, levels: ProcessLevels): Walk<void> {
  const { history, core } = broker;
  // What is looked at later in this walk counts as of its beginning, so that all have values of the same moments.
  const ms = history.now(core.clock);
  const all = new Sum();
  all.traffic.add(core.counts.closed);
  const sums = yield* sumsOfPeers(broker, host, all);
  history.queues.begin(ms);
  history.vhosts.begin(ms);
  for (const vhost of broker.vhosts.values()) {
    const sum = sums.get(vhost.name) ?? new Sum();
    yield* lookAtVhost(broker, vhost, sum, all);
    for (const field of ['ready', 'unacked', 'queues', 'consumers', 'exchanges'] as const) {
      all[field] += sum[field];
    }
  }
  history.queues.end();
  history.vhosts.end();
  history.broker.take(ms, [...all.values(), ...levelsOf(broker, all, levels)]);
  history.lookedMs = ms;
}

/** What the peers of each vhost have done, those that are gone included, and what died in deleted queues; all of it is added to `all`. */
function* sumsOfPeers(broker: Broker, host: ServerPort, all: Sum): Walk<Map<string, Sum>> {
  const sums = new Map<string, Sum>();
  for (const { name, closed } of broker.vhosts.values()) {
    const sum = new Sum();
    sum.traffic.add(closed);
    sums.set(name, sum);
    yield null;
  }
  for (const peer of host.peers()) {
    yield null;
    if (peer === null) continue;
    const into = [all, sums.get(peer.vhost)].filter((sum) => sum !== undefined);
    for (const { traffic } of into) traffic.addBytes(peer);
    for (const counts of peer.channels()) {
      for (const { traffic } of into) traffic.messages.add(counts);
      yield null;
    }
  }
  return sums;
}

function* lookAtVhost({ history }: Broker, vhost: Vhost, sum: Sum, all: Sum): Walk<void> {
  sum.exchanges = vhost.exchanges.size;
  const values: number[] = new Array(QUEUE_COUNTS.length + 2).fill(0);
  for (const queue of vhost.queues.values()) {
    readQueue(queue, values);
    history.queues.take(queue, queue.counts.sumOf(QUEUE_COUNTS), values);
    sum.traffic.messages.addLosses(queue.counts);
    all.traffic.messages.addLosses(queue.counts);
    sum.ready += queue.readyCount;
    sum.unacked += queue.unackedCount;
    sum.consumers += queue.consumers.length;
    sum.queues += 1;
    yield null;
  }
  history.vhosts.take(vhost, sum.traffic.messages.sumOf(COUNT_FIELDS), sum.values());
  yield null;
}

/** Fills in the values of a queue in the order of QUEUE_FIELDS. */
function readQueue(queue: AnyQueue, values: number[]): void {
  const counts = tallyOf(queue);
  const [ready, unacked] = levelsOfQueue(queue);
  for (let i = 0; i < QUEUE_COUNTS.length; i++) {
    values[i] = counts[QUEUE_COUNTS[i] as (typeof QUEUE_COUNTS)[number]];
  }
  values[QUEUE_COUNTS.length] = ready;
  values[QUEUE_COUNTS.length + 1] = unacked;
}

/** What BROKER_FIELDS has behind those of a vhost, in its order. */
function levelsOf({ core, alarms }: Broker, all: Sum, { openFiles }: ProcessLevels): number[] {
  const { counts } = core;
  const connections = counts.connectionsOpened - counts.connectionsClosed;
  const channels = counts.channelsOpened - counts.channelsClosed;
  const churn = [
    counts.connectionsOpened,
    counts.connectionsClosed,
    counts.channelsOpened,
    counts.channelsClosed,
    counts.queuesDeclared,
    counts.queuesCreated,
    counts.queuesDeleted,
  ];
  const { memory, disk } = alarms;
  const { commitEighths, commitKib } = counts;
  return [
    ...[connections, channels, all.consumers, all.queues, all.exchanges],
    ...churn,
    Math.floor(memory.now),
    // Where it is unknown it is no number.
    Number.isFinite(disk.now) ? Math.floor(disk.now) : 0,
    ...[openFiles, connections, all.queues + connections],
    ...[commitEighths.count, commitEighths.sumMs / 8, commitKib.sumMs * 1024],
  ];
}
