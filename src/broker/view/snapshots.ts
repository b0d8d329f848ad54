// Owns which rows tools see of a broker as it is now, one by one, so that no connection has to wait while many are
// made. Never hands out anything that is alive.

import { type LogCounts, NO_LOG } from '../../store/port.ts';
import type { Histogram } from '../../util/histogram.ts';
import type { JsonObject } from '../../util/json/json.ts';
import type { Rows, Walk } from '../../util/rows.ts';
import type { Broker } from '../broker.ts';
import { brokerSections, isRows, type Section, vhostSections } from '../definitions/export.ts';
import { Refusal } from '../errors.ts';
import { exchangeTypes } from '../exchange/registry.ts';
import { queueIn } from '../names-in-texts.ts';
import type { QueueLatency } from '../queue/latency.ts';
import type { AnyQueue } from '../queue/types/create-queue.ts';
import { type BrokerCounts, type Deaths, MessageCounts } from '../stats/counts.ts';
import { type CountsView, type RateView, valuesOf } from '../stats/rates.ts';
import type { Vhost } from '../vhost/vhost.ts';
import type { BindingEnd } from '../vhost/vhost-actor.ts';
import { AT_MAIN } from '../vhost-place.ts';
import { type BindingRow, bindingsFrom, bindingsOf, bindingsTo, countFrom } from './bindings.ts';
import { lookAtAll, type ProcessLevels } from './history/look.ts';
import { detailOf, headTimestampOf, oldestMs, rowOf, sample } from './queues/any-queue.ts';
import { StreamSnapshots } from './queues/stream-snapshots.ts';
import {
  type ConsumerFilter,
  type ConsumerRow,
  type ExchangeRow,
  type LatenciesView,
  type QueueDetail,
  type QueueRow,
  type Reach,
  rowOfExchange,
  rowsOfConsumers,
  viewLatency,
} from './rows.ts';
import type { ServerPort } from './server-port.ts';
import {
  isSeen,
  type SetAsideCounts,
  type SetAsideView,
  viewSetAsideDefinition,
  viewSetAsideMessage,
} from './set-aside.ts';
import {
  addLosses,
  type CountSums,
  sumByType,
  sumOfCounts,
  sumOfLatencies,
  sumOfVhosts,
  type VhostSums,
  type VhostView,
  viewVhost,
} from './sums.ts';

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

/** What the window shows of now. Where vhosts are named that are not there, they are passed over. */
export class Snapshots {
  readonly exchangeTypes = exchangeTypes;
  private readonly broker: Broker;
  readonly host: ServerPort;
  /** What a scrape reads of streams. */
  readonly streams: StreamSnapshots;

  /** How the node is called. */
  get node(): string {
    return this.broker.core.nodeName;
  }

  /** What the cluster is called unless a user says otherwise. */
  get clusterName(): string {
    return this.broker.core.clusterName;
  }

  constructor(broker: Broker, host: ServerPort) {
    this.broker = broker;
    this.host = host;
    this.streams = new StreamSnapshots(broker);
  }

  /** The names of all vhosts. */
  get vhostNames(): Iterable<string> {
    return this.broker.vhosts.keys();
  }

  hasVhost(name: string): boolean {
    return this.broker.vhosts.has(name);
  }

  /** The group of the cluster that a vhost is in; null: there is no such vhost. */
  groupOf(vhost: string): string | null {
    const found = this.broker.vhosts.get(vhost);
    return found === undefined ? null : (found.metadata.place ?? AT_MAIN).group;
  }

  /** Throws a Refusal when there is no vhost of that name. */
  requireVhost(name: string): void {
    this.broker.vhost(name);
  }

  *queues(vhosts: VhostNames): Rows<QueueRow> {
    for (const vhost of this.each(vhosts)) {
      yield null;
      for (const queue of vhost?.queues.values() ?? []) {
        yield this.owned(queue, rowOf(vhost as Vhost, queue, this.broker.rates));
      }
    }
  }

  /** What is known of one queue; a Refusal when it is not there. */
  queue(vhost: string, name: string): QueueDetail {
    const home = this.broker.vhost(vhost);
    const queue = home.queues.get(name);
    if (queue === undefined) throw new Refusal('not-found', `no ${queueIn(vhost, name)}`);
    return this.owned(queue, detailOf(this.broker, home, queue));
  }

  /** How old the message is that a queue gives out next, ms; null where there is none, or no queue. */
  oldestMessageMs(vhost: string, name: string): number | null {
    const queue = this.broker.vhosts.get(vhost)?.queues.get(name);
    return queue === undefined ? null : oldestMs(this.broker, queue);
  }

  /** The publisher's `timestamp` of the same message; null where it has none, or it is not `within` reach. */
  headTimestamp(vhost: string, name: string, within?: Reach): number | bigint | null {
    const queue = this.broker.vhosts.get(vhost)?.queues.get(name);
    return queue === undefined ? null : headTimestampOf(this.broker, queue, within);
  }

  /** A row with the connection that its queue belongs to, where that is exclusive. */
  private owned<T extends QueueRow>({ owner }: Pick<AnyQueue, 'owner'>, row: T): T {
    const details = owner === null ? null : this.host.ownerOf(owner);
    return details === null ? row : { ...row, owner_pid_details: details };
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
      if (vhost !== null) yield* bindingsOf(vhost);
    }
  }

  /** The bindings that have an exchange as their source. */
  bindingsFrom(vhost: string, exchange: string): Rows<BindingRow> {
    return bindingsFrom(this.broker.vhost(vhost), exchange);
  }

  /** How many those are; 0 where there is no such vhost. */
  bindingCount(vhost: string, exchange: string): number {
    const home = this.broker.vhosts.get(vhost);
    return home === undefined ? 0 : countFrom(home, exchange);
  }

  /** The bindings that lead to a queue or an exchange. */
  bindingsTo(vhost: string, end: BindingEnd): Rows<BindingRow> {
    return bindingsTo(this.broker.vhost(vhost), end);
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
    return viewVhost(this.broker.listed(name));
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
  *messageCounts(): Walk<CountSums> {
    const sum = new MessageCounts();
    sum.add(this.broker.core.counts.closed.messages);
    yield* addLosses(sum, this.broker.vhosts.values());
    return yield* sumOfCounts(sum, this.host.channelCounts());
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

  /** What the log before the store's tables has done, and holds; all 0 where there is none. */
  log(): LogCounts {
    return this.broker.core.store.logCounts ?? NO_LOG;
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

  /** How messages died. */
  get deaths(): Deaths {
    return this.broker.core.counts.deaths;
  }

  /** How often users tried to log in, by the protocol. */
  get logins(): BrokerCounts['logins'] {
    return this.broker.core.counts.logins;
  }

  /** The counts of all queues since the start, by their type; those that are deleted included. */
  countsByType(): Walk<ReadonlyMap<string, MessageCounts>> {
    return sumByType(this.broker);
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

  /** Takes a look for the history, a little with each step. */
  lookForHistory(levels: ProcessLevels): Walk<void> {
    return lookAtAll(this.broker, this.host, levels);
  }

  /** How long until the next look for the history is due, ms. */
  untilNextLook(): number {
    return this.broker.history.untilNextLook(this.broker.core.clock);
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
