// Owns routing to the partitions of a super stream: a direct exchange with `x-super-stream`. Never knows what a stream is: it
// is told which destinations are.

import { isIntegerField } from '../../../amqp/field-integers.ts';
import type { FieldTable } from '../../../amqp/field-table.ts';
import { murmur3 } from '../../../util/murmur3.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';
import { DirectRouter } from './direct.ts';

/** The argument that makes a direct exchange a super stream. */
export const SUPER_STREAM = 'x-super-stream';

/** The argument of a binding that says the place of a partition among all. */
export const PARTITION_ORDER = 'x-stream-partition-order';

/** What RabbitMQ's clients seed their hash with. */
const SEED = 104_729;

/** Partitions are numbered below this. */
const NUMBER_END = 2 ** 31;

/** Short strings fit in. */
const scratch = Buffer.alloc(3 * 256);

/** A partition of a super stream: a stream, or what is bound with a number. */
export interface Partition<D> {
  readonly stream: D;
  /** What deliveries call it: its `x-stream-partition-order`; one without that has its place among all. */
  readonly number: number;
  /** The binding key that names it. */
  readonly key: string;
}

/** Whether an exchange with these arguments, which is direct, is a super stream. */
export function isSuperStream(args: FieldTable): boolean {
  return args.get(SUPER_STREAM)?.value === true;
}

/**
 * A message goes where a binding key equals its routing key; where none does, to the partition that the hash of its
 * routing key picks, as RabbitMQ's clients of streams do: murmur3 of its UTF-8 bytes, modulo the number of partitions in
 * their order. So one that comes or goes moves most keys.
 */
export class SuperStreamRouter<D> implements ExchangeRouter<D> {
  /** Called when a binding came or went. */
  changed: (() => void) | null = null;
  private readonly exact = new DirectRouter<D>();
  private readonly bindings = new Set<Binding<D>>();
  private readonly isStream: (destination: D) => boolean;
  private readonly labelOf: (destination: D) => string;
  private known: readonly Partition<D>[] | null = null;

  constructor(isStream: (destination: D) => boolean, labelOf: (destination: D) => string) {
    this.isStream = isStream;
    this.labelOf = labelOf;
  }

  add(binding: Binding<D>): void {
    this.exact.add(binding);
    this.bindings.add(binding);
    this.known = null;
    this.changed?.();
  }

  remove(binding: Binding<D>): void {
    this.exact.remove(binding);
    this.bindings.delete(binding);
    this.known = null;
    this.changed?.();
  }

  route(routingKey: string, message: RoutedMessage, matches: Matches<D>): boolean {
    if (this.exact.route(routingKey, message, matches)) return true;
    const { partitions } = this;
    if (partitions.length === 0) return false;
    matches.add((partitions[hashOf(routingKey) % partitions.length] as Partition<D>).stream);
    return true;
  }

  /** The partitions in their order: each destination once, by its first binding. */
  get partitions(): readonly Partition<D>[] {
    this.known ??= this.inOrder();
    return this.known;
  }

  private inOrder(): Partition<D>[] {
    const { labelOf } = this;
    const bound = [...this.bindings]
      .map(({ destination, bindingKey, arguments: args }) => {
        const label = `${labelOf(destination)}\0${bindingKey}`;
        return { stream: destination, key: bindingKey, order: orderOf(args), label };
      })
      // What stands for a stream that cannot be read keeps its keys.
      .filter(({ stream, order }) => order !== Infinity || this.isStream(stream))
      .sort((a, b) => {
        if (a.order !== b.order) return a.order < b.order ? -1 : 1;
        return a.label < b.label ? -1 : 1;
      });
    const seen = new Set<D>();
    const partitions: Partition<D>[] = [];
    for (const { stream, key, order } of bound) {
      if (seen.has(stream)) continue;
      seen.add(stream);
      const number = order >= 0 && order < NUMBER_END ? order : partitions.length;
      partitions.push({ stream, key, number });
    }
    return partitions;
  }
}

/** What a binding says of the place of its partition; Infinity: nothing. */
function orderOf(args: FieldTable): number {
  const field = args.get(PARTITION_ORDER);
  return field !== undefined && isIntegerField(field) ? Number(field.value) : Infinity;
}

function hashOf(key: string): number {
  if (key.length > 256) {
    const bytes = Buffer.from(key);
    return murmur3(bytes, bytes.length, SEED);
  }
  return murmur3(scratch, scratch.write(key), SEED);
}
