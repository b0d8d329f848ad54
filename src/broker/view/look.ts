// Owns what tools see of a running broker, row by row, so that nobody has to wait while many rows are
// made. Never hands out anything that is alive.

import type { Histogram } from '../../util/histogram.ts';
import type { Broker } from '../broker.ts';
import { MessageCounts } from '../counts.ts';
import {
  brokerSections,
  isRows,
  type Section,
  usersOf,
  vhostSections,
} from '../definitions/export.ts';
import { isExchange } from '../exchange/exchange.ts';
import { exchangeTypes } from '../exchange/registry.ts';
import type { JsonObject } from '../json.ts';
import { NODE_NAME } from '../node-name.ts';
import { QueueLatency } from '../queue/latency.ts';
import { Refusal } from '../refusal.ts';
import type { Vhost } from '../vhost.ts';
import type { RateView, ViewHost } from './host.ts';
import { propertiesKeyOf } from './properties-key.ts';
import { type CountsView, valuesOf } from './rates.ts';
import {
  isSeen,
  type SetAsideCounts,
  type SetAsideView,
  viewSetAsideDefinition,
  viewSetAsideMessage,
} from './set-aside.ts';
import { type BindingView, viewBinding, viewVhost } from './snapshots.ts';
import {
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

/** A binding with what stands for it in paths. */
export interface BindingRow extends BindingView {
  readonly properties_key: string;
}

/** Names of vhosts. */
export type VhostNames = readonly string[];

/** Which of the queues or exchanges are wanted, by name. */
export type NameFilter = (name: string) => boolean;

/** What the overview adds up. */
export interface Totals {
  readonly connections: number;
  readonly channels: number;
  readonly consumers: number;
  readonly exchanges: number;
  readonly queues: number;
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
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

const EVERY: NameFilter = () => true;

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
  get vhostNames(): string[] {
    return [...this.broker.vhosts.keys()];
  }

  hasVhost(name: string): boolean {
    return this.broker.vhosts.has(name);
  }

  /** Throws a Refusal when there is no vhost of that name. */
  requireVhost(name: string): void {
    this.broker.vhost(name);
  }

  *queues(vhosts: VhostNames, wanted: NameFilter = EVERY): Iterable<QueueRow> {
    for (const vhost of this.each(vhosts)) {
      for (const queue of vhost.queues.values()) {
        if (wanted(queue.name)) yield rowOfQueue(vhost, queue, this.broker.rates);
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

  *exchanges(vhosts: VhostNames, wanted: NameFilter = EVERY): Iterable<ExchangeRow> {
    for (const vhost of this.each(vhosts)) {
      for (const exchange of vhost.exchanges.values()) {
        if (wanted(exchange.name)) yield rowOfExchange(vhost, exchange, this.broker.rates);
      }
    }
  }

  *bindings(vhosts: VhostNames): Iterable<BindingRow> {
    for (const vhost of this.each(vhosts)) {
      for (const queue of vhost.queues.values()) {
        yield bindingRow(vhost, '', 'queue', queue.name, queue.name, new Map());
      }
      for (const name of vhost.exchanges.keys()) {
        if (name !== '') yield* this.bindingsFrom(vhost.name, name);
      }
    }
  }

  /** The bindings that have an exchange as their source. */
  *bindingsFrom(vhostName: string, exchange: string): Iterable<BindingRow> {
    const vhost = this.broker.vhost(vhostName);
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
  ): Iterable<BindingRow> {
    const home = this.broker.vhost(vhost);
    const destination = (kind === 'queue' ? home.queues : home.exchanges).get(name);
    if (destination === undefined) return;
    if (kind === 'queue') yield bindingRow(home, '', kind, name, name, new Map());
    for (const { source, identity } of home.bindingsTo(destination)) {
      const binding = source.bindings.get(identity);
      if (binding === undefined) continue;
      yield bindingRow(home, source.name, kind, name, binding.bindingKey, binding.arguments);
    }
  }

  *consumers(vhosts: VhostNames): Iterable<ConsumerRow> {
    for (const vhost of this.each(vhosts)) {
      for (const queue of vhost.queues.values()) yield* rowsOfConsumers(vhost, queue);
    }
  }

  consumersOf(vhost: string, queue: string): ConsumerRow[] {
    const home = this.broker.vhost(vhost);
    const found = home.queues.get(queue);
    return found === undefined ? [] : rowsOfConsumers(home, found);
  }

  vhosts(): ReturnType<typeof viewVhost>[] {
    return [...this.broker.vhosts.values()].map(viewVhost);
  }

  users(): JsonObject[] {
    return usersOf(this.broker);
  }

  /** All definitions, or those of one vhost, in parts. */
  definitions(version: string, vhost: string | null): Section[] {
    if (vhost === null) return brokerSections(this.broker, version);
    return vhostSections(this.broker.vhost(vhost), version);
  }

  /** Whether a part of definitions is a list whose rows come one by one. */
  isRows(value: Section[1]): value is Iterable<JsonObject> {
    return isRows(value);
  }

  /** What there is in these vhosts, added up. */
  totals(vhosts: VhostNames): Totals {
    let [queues, exchanges, consumers, ready, unacked] = [0, 0, 0, 0, 0];
    for (const vhost of this.each(vhosts)) {
      queues += vhost.queues.size;
      exchanges += vhost.exchanges.size;
      for (const queue of vhost.queues.values()) {
        queue.catchUp();
        consumers += queue.consumers.length;
        ready += queue.readyCount;
        unacked += queue.unackedCount;
      }
    }
    const { counts } = this.broker;
    return {
      connections: counts.connectionsOpened - counts.connectionsClosed,
      channels: counts.channelsOpened - counts.channelsClosed,
      consumers,
      exchanges,
      queues,
      messages: ready + unacked,
      messages_ready: ready,
      messages_unacknowledged: unacked,
    };
  }

  churn(): Churn {
    const { counts } = this.broker;
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

  /** The counts of all messages since the start, as they are now. */
  messageCounts(): MessageCounts {
    const sum = new MessageCounts();
    sum.add(this.broker.counts.closed);
    for (const counts of this.host.channelCounts()) sum.add(counts);
    return sum;
  }

  /** How fast one of the churn counts grows. */
  churnRate(name: string): RateView {
    return this.broker.rates.of(CHURN_KEY, Object.keys(this.churn()).indexOf(name));
  }

  /** The latencies of all queues together. */
  latency(): LatenciesView {
    return viewLatency(this.latencies());
  }

  /** The same as they are counted. */
  latencies(): QueueLatency {
    const sum = new QueueLatency();
    for (const vhost of this.broker.vhosts.values()) {
      for (const { latency } of vhost.queues.values()) if (latency !== null) sum.add(latency);
    }
    return sum;
  }

  /** How long commits take, and how much they write. */
  commits(): { readonly eighthsOfMs: Histogram; readonly kib: Histogram } {
    const { commitEighths, commitKib } = this.broker.counts;
    return { eighthsOfMs: commitEighths, kib: commitKib };
  }

  /** What is set aside in these vhosts; `global`: also rows that belong to none. */
  *setAsideIn(vhosts: VhostNames, global: boolean): Iterable<SetAsideView> {
    const { setAside, setAsideRows } = this.broker;
    for (const each of setAsideRows.list()) {
      if (isSeen(each, vhosts, global)) yield viewSetAsideDefinition(each);
    }
    for (const each of setAside.list()) {
      if (vhosts.includes(each.vhost)) yield viewSetAsideMessage(each);
    }
  }

  /** How much that is. */
  countSetAside(vhosts: VhostNames, global: boolean): SetAsideCounts {
    const { setAside, setAsideRows } = this.broker;
    let messages = 0;
    let definitions = 0;
    for (const name of vhosts) messages += setAside.countIn(name);
    for (const each of setAsideRows.list()) if (isSeen(each, vhosts, global)) definitions += 1;
    return { messages, definitions };
  }

  /** How much is set aside now, and how many messages were since the start. */
  setAside(): SetAsideCounts & { readonly total: number } {
    const { count, total } = this.broker.setAside;
    return { messages: count, total, definitions: this.broker.setAsideRows.count };
  }

  deadLettered(): Readonly<Record<string, number>> {
    return this.broker.counts.deadLettered;
  }

  /** The same counts with their rates, as they were sampled last. */
  messageStats(): CountsView {
    const sum = this.messageCounts();
    return this.broker.rates.view(sum, this.broker.counts);
  }

  /** How fast the messages that are there become more, and the ready ones of them. */
  totalRates(): readonly { readonly rate: number }[] {
    return [0, 1, 2].map((at) => this.broker.rates.of(this, at));
  }

  /** Takes a sample of all that has rates, a little with each step. */
  *sample(): Iterable<void> {
    const { broker } = this;
    const nowMs = broker.clock.monotonicMs();
    broker.rates.wallMs = broker.clock.wallMs();
    broker.rates.take(broker.counts, valuesOf(this.messageCounts()), nowMs);
    const { messages, messages_ready, messages_unacknowledged } = this.totals(this.vhostNames);
    broker.rates.take(this, [messages, messages_ready, messages_unacknowledged], nowMs);
    yield;
    broker.rates.take(CHURN_KEY, Object.values(this.churn()), nowMs);
    yield* sample(broker, this.host.traffic(), nowMs);
  }

  private *each(names: VhostNames): Iterable<Vhost> {
    for (const name of names) {
      const vhost = this.broker.vhosts.get(name);
      if (vhost !== undefined) yield vhost;
    }
  }
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
