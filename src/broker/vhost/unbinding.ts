// Owns taking bindings away: one, or all of a queue or exchange that is going to be deleted, and the consumers of a
// queue, step by step where they are many. Never decides what may be deleted.

import type { BrokerEvents } from '../core/events.ts';
import type { BindingsByDestination } from '../exchange/bindings-by-destination.ts';
import { type Destination, type Exchange, isExchange } from '../exchange/exchange.ts';
import type { ConsumerSource } from '../queue/consumer.ts';
import type { MessageSink } from '../queue/ports.ts';
import type { ChangeLine } from '../turn/change-line.ts';
import { finish, type Steps } from '../turn/slices.ts';
import type { DefinitionRows } from './topology-rows.ts';
import type { UnusedExchanges } from './unused-exchanges.ts';

/** What has more bindings and consumers is not deleted in one go. */
const AT_ONCE = 256;
/** So many are taken away between two moments at which others may have their turn. */
const PER_STEP = 32;

/** Does a long act, all of which has to be in one batch, and calls `then`. */
export type LongAct = (steps: Steps, then: () => void) => void;

/** For acts whose caller cannot wait. */
export function atOnce(steps: Steps, then: () => void): void {
  finish(steps);
  then();
}

/** What bindings lead to or from, and goes. */
type End = EndingQueue | Exchange;
type EndingQueue = MessageSink & Pick<ConsumerSource, 'consumers' | 'endConsumers'>;

/** What it needs of the broker. */
export interface UnbindingBroker {
  readonly core: { readonly line: ChangeLine; definitionChanged(): void };
  readonly changes: BrokerEvents;
  readonly definitionRows: DefinitionRows;
}

/** The bindings of one vhost, as they go. */
export class Unbinding {
  private readonly vhost: string;
  private readonly broker: UnbindingBroker;
  private readonly sources: BindingsByDestination;
  private readonly unused: UnusedExchanges;
  private readonly routesChanged: () => void;

  constructor(
    vhost: string,
    broker: UnbindingBroker,
    sources: BindingsByDestination,
    unused: UnusedExchanges,
    routesChanged: () => void,
  ) {
    this.vhost = vhost;
    this.broker = broker;
    this.sources = sources;
    this.unused = unused;
    this.routesChanged = routesChanged;
  }

  /** Takes one binding away; returns whether it was there. */
  remove(source: Exchange, identity: string): boolean {
    const binding = source.removeBinding(identity);
    if (binding === undefined) return false;
    this.routesChanged();
    const { destination, bindingKey } = binding;
    const { broker, vhost } = this;
    const at = [source.name, isExchange(destination), destination.name] as const;
    broker.changes.binding('deleted', vhost, ...at, bindingKey);
    this.sources.remove(destination, source, identity);
    if (source.durable && destination.durable) {
      broker.definitionRows.removeBinding(vhost, source.name, identity);
      broker.core.definitionChanged();
    }
    return true;
  }

  /** Takes all bindings to a destination away. */
  removeTo(destination: Destination): void {
    for (const { source, identity } of this.sources.bindingsTo(destination)) {
      this.remove(source, identity);
      this.unused.look(source);
    }
  }

  /**
   * Calls `last`, which deletes a queue or exchange, and `then`: at once, or by `act` after its consumers and bindings
   * went step by step, where they are many.
   */
  whenUnbound(end: End, act: LongAct, last: () => void, then: () => void): void {
    if (this.isMany(end)) return act(this.steps(end, last), then);
    last();
    then();
  }

  private isMany(end: End): boolean {
    return this.count(end) > AT_ONCE;
  }

  private count(end: End): number {
    return this.sources.count(end) + (isExchange(end) ? end.bindings.size : end.consumers.length);
  }

  /**
   * Takes the consumers and bindings away that a queue or exchange has now, step by step, and then calls `last`,
   * which deletes it with those that came meanwhile: binding it anew does not keep it alive. Where they are few,
   * there is that one step.
   */
  *steps(end: End, last: () => void): Steps {
    if (!this.isMany(end)) return last();
    if (!isExchange(end)) yield* this.unsubscribing(end);
    let left = this.count(end);
    for (const [source, identity] of this.bindingsOf(end)) {
      if (left === 0) break;
      const { line } = this.broker.core;
      line.begin();
      this.remove(source, identity);
      if (source !== end) this.unused.look(source);
      line.end();
      left -= 1;
      if (left % PER_STEP === 0) yield;
    }
    last();
  }

  /** In the order in which they subscribed, which is that of their notices. */
  private *unsubscribing(queue: EndingQueue): Steps {
    for (let left = queue.consumers.length; left > 0; left -= PER_STEP) {
      const { line } = this.broker.core;
      line.begin();
      queue.endConsumers(PER_STEP);
      line.end();
      yield;
    }
  }

  private *bindingsOf(end: End): Generator<readonly [Exchange, string], void> {
    for (const { source, identity } of this.sources.bindingsTo(end)) yield [source, identity];
    if (!isExchange(end)) return;
    for (const identity of end.bindings.keys()) yield [end, identity];
  }
}
