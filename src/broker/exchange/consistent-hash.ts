// Owns routing by a hash of the message (RabbitMQ's plugin): the type `x-consistent-hash`, where the
// binding key is a weight. Never counts messages: shares are even by the law of large numbers alone.

import { AmqpError } from '../../amqp/errors.ts';
import { erlangBinary } from '../../amqp/field-equality.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { assert } from '../../util/assert.ts';
import { hashText, mix } from '../../util/hash.ts';
import type { Binding } from './binding.ts';
import { type HashSource, hashSourceOf } from './hash-source.ts';
import type { Found, RoutedMessage, Router } from './router.ts';

/** A destination, with the weights of its bindings and their sum. */
interface Share<D> {
  readonly destination: D;
  readonly seed: number;
  /** A sum of great numbers loses small ones, so that it cannot tell whether a binding is left. */
  readonly weights: number[];
  weight: number;
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
export class ConsistentHashRouter<D> implements Router<D> {
  private readonly shares: Share<D>[] = [];
  private readonly hashOf: HashSource;
  private readonly labelOf: (destination: D) => string;
  /** Whether all weights are the same, so that lots compare as they are. */
  private even = true;

  constructor(args: FieldTable, labelOf: (destination: D) => string) {
    this.hashOf = hashSourceOf(args);
    this.labelOf = labelOf;
  }

  add({ destination, bindingKey }: Binding<D>): void {
    const known = this.shares.find((share) => share.destination === destination);
    const weight = Number(bindingKey);
    if (known !== undefined) {
      known.weights.push(weight);
      known.weight = sumOf(known.weights);
    } else {
      const seed = hashText(this.labelOf(destination));
      this.shares.push({ destination, seed, weights: [weight], weight });
    }
    this.weigh();
  }

  remove({ destination, bindingKey }: Binding<D>): void {
    const at = this.shares.findIndex((share) => share.destination === destination);
    assert(at >= 0, 'a binding to remove was added before');
    const share = this.shares[at] as Share<D>;
    share.weights.splice(share.weights.indexOf(Number(bindingKey)), 1);
    share.weight = sumOf(share.weights);
    if (share.weights.length === 0) this.shares.splice(at, 1);
    this.weigh();
  }

  route(routingKey: string, message: RoutedMessage, found: Found<D>): boolean {
    const { shares } = this;
    if (shares.length === 0) return false;
    const hash = this.hashOf(routingKey, message);
    const winner = this.even ? highest(shares, hash) : highestByWeight(shares, hash);
    found.add((shares[winner] as Share<D>).destination);
    return true;
  }

  /** How many destinations are bound. */
  get size(): number {
    return this.shares.length;
  }

  private weigh(): void {
    const first = this.shares[0]?.weight;
    this.even = this.shares.every((share) => share.weight === first);
  }
}

function sumOf(weights: readonly number[]): number {
  let sum = 0;
  for (const weight of weights) sum += weight;
  return sum;
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
