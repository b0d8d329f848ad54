// Owns the policies of one vhost: which one holds for each queue and exchange, and applying it,
// step by step where they are thousands. Never merges: the queue does, by queue/rules.ts.

import { Refusal } from '../errors.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { Steps } from '../turn/slices.ts';
import {
  type GovernedQueue,
  LAYERS,
  matchesExchange,
  matchesQueue,
  type Policy,
  type PolicyLayer,
} from './policy.ts';
import type { PolicyRows } from './policy-rows.ts';

/** What the policies of a vhost need of it. */
export interface PolicyHome {
  readonly name: string;
  readonly queues: ReadonlyMap<string, GovernedQueue>;
  readonly exchanges: ReadonlyMap<string, Exchange>;
  /** A durable definition was changed. */
  definitionChanged(): void;
  /** An exchange routes in another way. */
  routesChanged(): void;
  /** Does a long act in slices. */
  act(steps: Steps): void;
}

/** The policies that hold for one queue or exchange. */
export interface Effective {
  readonly policy: Policy | null;
  readonly operator: Policy | null;
}

/** Queues and exchanges between two moments at which others may have their turn, where policies are few. */
const TARGETS_PER_STEP = 32;
/** Patterns tried between two such moments, and those of one target. */
const MATCHES_PER_STEP = 1024;
const NONE: Effective = { policy: null, operator: null };

/** The policies of one vhost. */
export class Policies {
  private readonly home: PolicyHome;
  private readonly rows: PolicyRows;
  private readonly layers: Record<PolicyLayer, readonly Policy[]>;
  /** Counts the changes: the newest is what is applied. */
  private changes = 0;
  /** Whether all of them are applied; else an act is about it. */
  private applied = true;
  /** What holds for each queue and exchange for which something does. */
  private readonly holding = new WeakMap<GovernedQueue | Exchange, Effective>();

  constructor(home: PolicyHome, rows: PolicyRows) {
    this.home = home;
    this.rows = rows;
    this.layers = { policy: [], operator_policy: [] };
  }

  /** Reads the policies of this vhost back, before its queues and exchanges. */
  recover(): void {
    for (const layer of LAYERS) {
      this.layers[layer] = this.rows.policies(this.home.name, layer).sort(byPrecedence);
    }
  }

  /** The policies of a layer, those that win first. */
  list(layer: PolicyLayer): readonly Policy[] {
    return this.layers[layer];
  }

  /** The policies that hold for a queue or an exchange. */
  of(target: GovernedQueue | Exchange): Effective {
    return this.holding.get(target) ?? NONE;
  }

  /** Adds a policy or puts it in the place of one with its name, and applies it at once. */
  set(layer: PolicyLayer, policy: Policy): void {
    const others = this.layers[layer].filter(({ name }) => name !== policy.name);
    const next = others.toSpliced(placeOf(policy, others), 0, policy);
    this.rows.putPolicy(this.home.name, layer, policy);
    this.rows.line.change(() => {
      this.layers[layer] = next;
      this.changed();
    });
  }

  /** Takes a policy away, and lets what it held for go by the next. */
  clear(layer: PolicyLayer, name: string): void {
    const others = this.layers[layer].filter((policy) => policy.name !== name);
    if (others.length === this.layers[layer].length) {
      throw new Refusal('not-found', 'Parameter does not exist');
    }
    this.rows.line.change(() => {
      this.layers[layer] = others;
      this.rows.removePolicy(this.home.name, layer, name);
      this.changed();
    });
  }

  /** Takes all policies off the disk: the vhost is deleted. */
  *discarding(): Steps {
    for (const layer of LAYERS) {
      for (const { name } of this.layers[layer]) {
        this.rows.removePolicy(this.home.name, layer, name);
        yield;
      }
      this.layers[layer] = [];
    }
  }

  /** Lets a queue go by the policies that match it. */
  applyToQueue(queue: GovernedQueue): void {
    if (!this.renew(queue, (policy) => matchesQueue(policy, queue))) return;
    const { policy, operator } = this.of(queue);
    queue.applyPolicy(policy?.rules ?? null, operator?.rules ?? null);
  }

  /** Lets an exchange go by the policy that matches it; returns whether it routes differently. */
  applyToExchange(exchange: Exchange): boolean {
    if (!this.renew(exchange, (policy) => matchesExchange(policy, exchange))) return false;
    return exchange.applyPolicy(this.of(exchange).policy?.rules ?? null);
  }

  /** Finds what holds for a target now: of each layer the first that matches. Whether that is new. */
  private renew(target: GovernedQueue | Exchange, matches: (policy: Policy) => boolean): boolean {
    const before = this.of(target);
    const policy = this.layers.policy.find(matches) ?? null;
    const operator = this.layers.operator_policy.find(matches) ?? null;
    if (policy === before.policy && operator === before.operator) return false;
    this.holding.set(target, { policy, operator });
    return true;
  }

  private changed(): void {
    this.home.definitionChanged();
    this.changes += 1;
    if (!this.applied) return;
    this.applied = false;
    this.home.act(this.applyingAll());
  }

  /** Applies what holds now, and anew for as long as changes come: there is one such act, however many come. */
  private *applyingAll(): Steps {
    for (let change = -1; change !== this.changes; ) {
      change = this.changes;
      yield* this.applying(change);
    }
    this.applied = true;
  }

  /**
   * Applies what holds now to all queues and exchanges, step by step. A change that comes meanwhile ends this;
   * queues and exchanges that come meanwhile go by what holds then.
   */
  private *applying(change: number): Steps {
    const { policy, operator_policy } = this.layers;
    const fitting = Math.floor(MATCHES_PER_STEP / (policy.length + operator_policy.length + 1));
    const perStep = Math.min(TARGETS_PER_STEP, Math.max(1, fitting));
    let n = 0;
    let rerouted = false;
    for (const exchange of this.home.exchanges.values()) {
      if (this.applyToExchange(exchange)) rerouted = true;
      n += 1;
      if (n % perStep === 0) {
        if (rerouted) this.home.routesChanged();
        rerouted = false;
        yield;
        if (change !== this.changes) return;
      }
    }
    if (rerouted) this.home.routesChanged();
    for (const queue of this.home.queues.values()) {
      this.applyToQueue(queue);
      n += 1;
      if (n % perStep === 0) {
        yield;
        if (change !== this.changes) return;
      }
    }
  }
}

/** The highest priority comes first; of equal ones the first by name, which RabbitMQ leaves open. */
function byPrecedence(a: Policy, b: Policy): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return a.name < b.name ? -1 : 1;
}

/** Where a policy stands among others that are in order. To sort them all takes long for thousands. */
function placeOf(policy: Policy, others: readonly Policy[]): number {
  let [from, to] = [0, others.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (byPrecedence(others[middle] as Policy, policy) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
