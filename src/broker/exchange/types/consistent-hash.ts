// Owns routing by a hash of the message (RabbitMQ's plugin): the type `x-consistent-hash`, where the
// binding key is a weight. Never counts messages: shares are even by the law of large numbers alone.

import { AmqpError } from '../../../amqp/errors.ts';
import { erlangBinary } from '../../../amqp/field-equality.ts';
import type { FieldTable } from '../../../amqp/field-table.ts';
import { assert } from '../../../util/assert.ts';
import { hashText, mix } from '../../../util/hash.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';
import { type HashSource, hashSourceOf } from './hash-source.ts';

/** A destination, with how many bindings it has and the sum of their weights. */
interface Share<D> {
  readonly destination: D;
  readonly seed: number;
  bindings: number;
  /** Exact, however great: the same after any order of bindings that come and go. */
  sum: bigint;
  /** The sum as lots are weighed by it. */
  weight: number;
  /** Its place among the shares. */
  at: number;
}

/** Throws RabbitMQ's errors for a binding key that is no weight. */
export function checkWeight(bindingKey: string): void {
  let wrong: string | null = null;
  if (!/^[+-]?[0-9]+$/.test(bindingKey)) {
    wrong = `The binding key must be an integer: ${erlangBinary(bindingKey)}`;
  } else if (Number(bindingKey) < 1) {
    wrong = 'The binding key must be greater than 0';
  }
  if (wrong !== null) throw new AmqpError('PRECONDITION_FAILED', wrong);
}

/**
 * A message goes to one destination, and all messages with the same hash to the same one.
 *
 * Each destination draws a lot for the message, out of the message's hash and its own name, and the
 * highest one wins (rendezvous hashing). So a destination that comes takes from each of the others
 * its share and nothing else moves; one that goes leaves its share to all others. The answer depends
 * on which bindings there are, not on the order in which they were made, and is the same after a
 * restart. The price is a loop over the destinations.
 */
export class ConsistentHashRouter<D> implements ExchangeRouter<D> {
  private readonly shares: Share<D>[] = [];
  private readonly shareOf = new Map<D, Share<D>>();
  /** How many shares have each weight. */
  private readonly ofWeight = new Map<number, number>();
  private readonly hashOf: HashSource;
  private readonly labelOf: (destination: D) => string;
  /** Whether all weights are the same, so that lots compare as they are. */
  private even = true;

  constructor(args: FieldTable, labelOf: (destination: D) => string) {
    this.hashOf = hashSourceOf(args);
    this.labelOf = labelOf;
  }

  /** The cost does not grow with how many bindings there are: one deletion takes thousands away. */
  add({ destination, bindingKey }: Binding<D>): void {
    // What is read back may be no weight: that throws before anything is changed.
    const weight = BigInt(bindingKey);
    let share = this.shareOf.get(destination);
    if (share === undefined) {
      const seed = hashText(this.labelOf(destination));
      share = { destination, seed, bindings: 0, sum: 0n, weight: 0, at: this.shares.length };
      this.shares.push(share);
      this.shareOf.set(destination, share);
    }
    this.weigh(share, 1, weight);
  }

  remove({ destination, bindingKey }: Binding<D>): void {
    const share = this.shareOf.get(destination);
    assert(share !== undefined, 'a binding to remove was added before');
    this.weigh(share, -1, -BigInt(bindingKey));
    if (share.bindings > 0) return;
    this.shareOf.delete(destination);
    const last = this.shares.pop() as Share<D>;
    if (last === share) return;
    this.shares[share.at] = last;
    last.at = share.at;
  }

  route(routingKey: string, message: RoutedMessage, matches: Matches<D>): boolean {
    const { shares } = this;
    if (shares.length === 0) return false;
    const hash = this.hashOf(routingKey, message);
    const winner = this.even ? highest(shares, hash) : highestByWeight(shares, hash);
    matches.add((shares[winner] as Share<D>).destination);
    return true;
  }

  /** How many destinations are bound. */
  get size(): number {
    return this.shares.length;
  }

  private weigh(share: Share<D>, bindings: number, weight: bigint): void {
    if (share.bindings > 0) this.count(share.weight, -1);
    share.bindings += bindings;
    share.sum += weight;
    share.weight = Number(share.sum);
    if (share.bindings > 0) this.count(share.weight, 1);
    this.even = this.ofWeight.size <= 1;
  }

  private count(weight: number, more: number): void {
    const count = (this.ofWeight.get(weight) ?? 0) + more;
    if (count > 0) this.ofWeight.set(weight, count);
    else this.ofWeight.delete(weight);
  }
}

function highest<D>(shares: readonly Share<D>[], hash: number): number {
  let winner = 0;
  let best = -1;
  for (let i = 0; i < shares.length; i++) {
    const lot = mix(hash ^ (shares[i] as Share<D>).seed);
    if (lot <= best) continue;
    best = lot;
    winner = i;
  }
  return winner;
}

/**
 * With the lot as a number u between 0 and 1, the highest ln(u) / weight wins in proportion to the
 * weights; with equal weights it is the highest lot.
 */
function highestByWeight<D>(shares: readonly Share<D>[], hash: number): number {
  let winner = 0;
  let best = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < shares.length; i++) {
    const share = shares[i] as Share<D>;
    const lot = Math.log((mix(hash ^ share.seed) + 0.5) / 2 ** 32) / share.weight;
    if (lot <= best) continue;
    best = lot;
    winner = i;
  }
  return winner;
}
