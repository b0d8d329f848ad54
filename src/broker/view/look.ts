// Owns what tools see of a running broker, row by row, so that no connection has to wait while many rows are
// made. Never hands out anything that is alive.

import type { Histogram } from '../../util/histogram.ts';
import type { JsonObject } from '../../util/json/json.ts';
import type { Rows, Walk } from '../../util/rows.ts';
import type { Broker } from '../broker.ts';
import { brokerSections, isRows, type Section, vhostSections } from '../definitions/export.ts';
import { Refusal } from '../errors.ts';
import { isExchange } from '../exchange/exchange.ts';
import { exchangeTypes } from '../exchange/registry.ts';
import { NODE_NAME } from '../node-name.ts';
import type { QueueLatency } from '../queue/latency.ts';
import { MessageCounts } from '../stats/counts.ts';
import { type CountsView, type RateView, valuesOf } from '../stats/rates.ts';
import type { Vhost } from '../vhost/vhost.ts';
import type { ViewHost } from './host.ts';
import { propertiesKeyOf } from './properties-key.ts';
import {
  isSeen,
  type SetAsideCounts,
  type SetAsideView,
  viewSetAsideDefinition,
  viewSetAsideMessage,
} from './set-aside.ts';
import { type BindingView, type VhostView, viewBinding, viewVhost } from './snapshots.ts';
import {
  type ConsumerFilter,
  type ConsumerRow,
  detailOfQueue,
  type ExchangeRow,
  type LatenciesView,
  oldestMessageMs,
  type QueueDetail,
  type QueueRow,
  rowOfExchange,
  rowOfQueue,
  rowsOfConsumers,
  sample,
  viewLatency,
} from './statistics.ts';
import {
  type CountSums,
  sumOfCounts,
  sumOfLatencies,
  sumOfVhosts,
  type VhostSums,
} from './sums.ts';

/** A binding with what stands for it in paths. */
export interface BindingRow extends BindingView {
  readonly properties_key: string;
}

/** Names of vhosts. */
export type VhostNames = Rows<string>;

/** What the overview adds up. */
export interface Totals extends PeerCounts, VhostSums {}

/** How many connections and channels are open. */
export interface PeerCounts {
  readonly connections: number;
  readonly channels: number;
}

/** Counts of events since the start. */
export interface Churn {
  readonly connection_created: number;
  readonly connection_closed: number;
  readonly channel_created: number;
  readonly channel_closed: number;
  readonly queue_declared: number;
  readonly queue_created: number;
  readonly queue_deleted: number;
}

/** What the rates of the churn are kept under. */
const CHURN_KEY = {};

const EVERY: ConsumerFilter = () => true;

/** The window's way to look. Where vhosts are named that are not there, they are passed over. */
export class Look {
  readonly node = NODE_NAME;
  readonly exchangeTypes = exchangeTypes;
  private readonly broker: Broker;
  readonly host: ViewHost;

  constructor(broker: Broker, host: ViewHost) {
    this.broker = broker;
    this.host = host;
  }

  /** The names of all vhosts. */
  get vhostNames(): Iterable<string> {
    return this.broker.vhosts.keys();
  }

  hasVhost(name: string): boolean {
    return this.broker.vhosts.has(name);
  }

  /** Throws a Refusal when there is no vhost of that name. */
  requireVhost(name: string): void {
    this.broker.vhost(name);
  }

  *queues(vhosts: VhostNames): Rows<QueueRow> {
    for (const vhost of this.each(vhosts)) {
      yield null;
      for (const queue of vhost?.queues.values() ?? []) {
        yield rowOfQueue(vhost as Vhost, queue, this.broker.rates);
      }
    }
  }

  /** What is known of one queue; a Refusal when it is not there. */
  queue(vhost: string, name: string): QueueDetail {
    const home = this.broker.vhost(vhost);
    const queue = home.queues.get(name);
    if (queue === undefined)
      throw new Refusal('not-found', `no queue '${name}' in vhost '${vhost}'`);
    return detailOfQueue(this.broker, home, queue);
  }

  /** How old the message is that a queue gives out next, ms; null where there is none, or no queue. */
  oldestMessageMs(vhost: string, name: string): number | null {
    const queue = this.broker.vhosts.get(vhost)?.queues.get(name);
    return queue === undefined ? null : oldestMessageMs(this.broker, queue);
  }

  *exchanges(vhosts: VhostNames): Rows<ExchangeRow> {
    for (const vhost of this.each(vhosts)) {
      yield null;
      for (const exchange of vhost?.exchanges.values() ?? []) {
        yield rowOfExchange(vhost as Vhost, exchange, this.broker.rates);
      }
    }
  }

  /** One exchange; null: it is not there. */
  exchange(vhost: string, name: string): ExchangeRow | null {
    const home = this.broker.vhost(vhost);
    const exchange = home.exchanges.get(name);
    return exchange === undefined ? null : rowOfExchange(home, exchange, this.broker.rates);
  }

  *bindings(vhosts: VhostNames): Rows<BindingRow> {
    for (const vhost of this.each(vhosts)) {
      yield null;
      if (vhost === null) continue;
      for (const queue of vhost.queues.values()) {
        yield bindingRow(vhost, '', 'queue', queue.name, queue.name, new Map());
      }
      for (const name of vhost.exchanges.keys()) {
        if (name !== '') yield* this.bindingsIn(vhost, name);
      }
    }
  }

  /** The bindings that have an exchange as their source. */
  bindingsFrom(vhost: string, exchange: string): Rows<BindingRow> {
    return this.bindingsIn(this.broker.vhost(vhost), exchange);
  }

  private *bindingsIn(vhost: Vhost, exchange: string): Rows<BindingRow> {
    yield null;
    if (exchange === '') {
      for (const { name } of vhost.queues.values()) {
        yield bindingRow(vhost, '', 'queue', name, name, new Map());
      }
    }
    for (const binding of vhost.exchanges.get(exchange)?.bindings.values() ?? []) {
      const { destination, bindingKey, arguments: args } = binding;
      const kind = isExchange(destination) ? 'exchange' : 'queue';
      yield bindingRow(vhost, exchange, kind, destination.name, bindingKey, args);
    }
  }

  /** The bindings that lead to a queue or an exchange. */
  *bindingsTo(
    vhost: string,
    kind: BindingView['destination_type'],
    name: string,
  ): Rows<BindingRow> {
    const home = this.broker.vhost(vhost);
    const destination = (kind === 'queue' ? home.queues : home.exchanges).get(name);
    if (destination === undefined) return;
    if (kind === 'queue') yield bindingRow(home, '', kind, name, name, new Map());
    for (const { source, identity } of home.bindings.to(destination)) {
      yield null;
      const binding = source.bindings.get(identity);
      if (binding === undefined) continue;
      yield bindingRow(home, source.name, kind, name, binding.bindingKey, binding.arguments);
    }
  }

  /** The consumers whose channels are wanted. */
  *consumers(vhosts: VhostNames, wanted: ConsumerFilter = EVERY): Rows<ConsumerRow> {
    for (const vhost of this.each(vhosts)) {
      yield null;
      for (const queue of vhost?.queues.values() ?? []) {
        yield* rowsOfConsumers(vhost as Vhost, queue, wanted);
      }
    }
  }

  consumersOf(vhost: string, queue: string): Rows<ConsumerRow> {
    const home = this.broker.vhost(vhost);
    const of = home.queues.get(queue);
    return of === undefined ? [] : rowsOfConsumers(home, of, EVERY);
  }

  *vhosts(vhosts: VhostNames): Rows<VhostView> {
    for (const vhost of this.each(vhosts)) yield vhost === null ? null : yield* viewVhost(vhost);
  }

  /** One vhost. Throws a Refusal when it is not there. */
  vhost(name: string): Walk<VhostView> {
    return viewVhost(this.broker.vhost(name));
  }

  /** All definitions, or those of one vhost, in parts. */
  definitions(version: string, vhost: string | null): Section[] {
    if (vhost === null) return brokerSections(this.broker, version);
    return vhostSections(this.broker.vhost(vhost), version);
  }

  /** Whether a part of definitions is a list whose rows come one by one. */
  isRows(value: Section[1]): value is Rows<JsonObject> {
    return isRows(value);
  }

  /** How many connections and channels are open. */
  peerCounts(): PeerCounts {
    const { counts } = this.broker.core;
    return {
      connections: counts.connectionsOpened - counts.connectionsClosed,
      channels: counts.channelsOpened - counts.channelsClosed,
    };
  }

  /** What there is in these vhosts, added up. */
  *totals(vhosts: VhostNames): Walk<Totals> {
    const sums = yield* sumOfVhosts(this.each(vhosts));
    return { ...this.peerCounts(), ...sums };
  }

  churn(): Churn {
    const { counts } = this.broker.core;
    return {
      connection_created: counts.connectionsOpened,
      connection_closed: counts.connectionsClosed,
      channel_created: counts.channelsOpened,
      channel_closed: counts.channelsClosed,
      queue_declared: counts.queuesDeclared,
      queue_created: counts.queuesCreated,
      queue_deleted: counts.queuesDeleted,
    };
  }

  /** The counts of all messages since the start, and how many channels have published. */
  messageCounts(): Walk<CountSums> {
    const sum = new MessageCounts();
    sum.add(this.broker.core.counts.closed);
    return sumOfCounts(sum, this.host.channelCounts());
  }

  /** How fast one of the churn counts grows. */
  churnRate(name: string): RateView {
    return this.broker.rates.of(CHURN_KEY, Object.keys(this.churn()).indexOf(name));
  }

  /** The latencies of all queues together. */
  *latency(): Walk<LatenciesView> {
    return viewLatency(yield* this.latencies());
  }

  /** The same as they are counted. */
  latencies(): Walk<QueueLatency> {
    return sumOfLatencies(this.broker.vhosts.values());
  }

  /** How long commits take, and how much they write. */
  commits(): { readonly eighthsOfMs: Histogram; readonly kib: Histogram } {
    const { commitEighths, commitKib } = this.broker.core.counts;
    return { eighthsOfMs: commitEighths, kib: commitKib };
  }

  /** What is set aside in these vhosts; `global`: also rows that belong to none. */
  *setAsideIn(vhosts: VhostNames, global: boolean): Rows<SetAsideView> {
    const { setAside, setAsideRows } = this.broker.core;
    const names = yield* setOf(vhosts);
    for (const each of setAsideRows.list()) {
      yield isSeen(each, names, global) ? viewSetAsideDefinition(each) : null;
    }
    for (const each of setAside.list()) {
      yield names.has(each.vhost) ? viewSetAsideMessage(each) : null;
    }
  }

  /** How much that is. */
  *countSetAside(vhosts: VhostNames, global: boolean): Walk<SetAsideCounts> {
    const { setAside, setAsideRows } = this.broker.core;
    const names = yield* setOf(vhosts);
    let messages = 0;
    let definitions = 0;
    for (const name of names) {
      messages += setAside.countIn(name);
      yield null;
    }
    for (const each of setAsideRows.list()) {
      if (isSeen(each, names, global)) definitions += 1;
      yield null;
    }
    return { messages, definitions };
  }

  /** How much is set aside now, and how many messages were since the start. */
  setAside(): SetAsideCounts & { readonly total: number } {
    const { count, total } = this.broker.core.setAside;
    return { messages: count, total, definitions: this.broker.core.setAsideRows.count };
  }

  deadLettered(): Readonly<Record<string, number>> {
    return this.broker.core.counts.deadLettered;
  }

  /** The same counts with their rates, as they were sampled last. */
  *messageStats(): Walk<CountsView> {
    const { counts } = yield* this.messageCounts();
    return this.broker.rates.view(counts, this.broker.core.counts);
  }

  /** How fast the messages that are there become more, and the ready ones of them. */
  totalRates(): readonly { readonly rate: number }[] {
    return [0, 1, 2].map((at) => this.broker.rates.of(this, at));
  }

  /** Takes a sample of all that has rates, a little with each step. */
  *sample(): Walk<void> {
    const { broker } = this;
    const { counts } = yield* this.messageCounts();
    const totals = yield* this.totals(broker.vhosts.keys());
    const nowMs = broker.core.clock.monotonicMs();
    broker.rates.wallMs = broker.core.clock.wallMs();
    broker.rates.take(broker.core.counts, valuesOf(counts), nowMs);
    const { messages, messages_ready, messages_unacknowledged } = totals;
    broker.rates.take(this, [messages, messages_ready, messages_unacknowledged], nowMs);
    broker.rates.take(CHURN_KEY, Object.values(this.churn()), nowMs);
    yield* sample(broker, this.host.traffic(), nowMs);
  }

  private *each(names: VhostNames): Rows<Vhost> {
    for (const name of names) {
      yield name === null ? null : (this.broker.vhosts.get(name) ?? null);
    }
  }
}

function* setOf(names: VhostNames): Walk<ReadonlySet<string>> {
  const all = new Set<string>();
  for (const name of names) {
    if (name !== null) all.add(name);
    yield null;
  }
  return all;
}

function bindingRow(
  vhost: Vhost,
  source: string,
  kind: 'queue' | 'exchange',
  destination: string,
  key: string,
  args: Parameters<typeof propertiesKeyOf>[1],
): BindingRow {
  return {
    ...viewBinding(vhost, source, kind, destination, key, args),
    properties_key: propertiesKeyOf(key, args),
  };
}
