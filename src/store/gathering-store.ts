// Owns what all engines share: the batch being gathered, the numbers of batches, and the listeners. Never makes a batch
// durable: each engine does so in its own way.

import { assert } from '../util/assert.ts';
import { Batch } from './batch.ts';
import type { Store } from './port.ts';

/** The part of a store that takes changes. What each member promises stands at `Store`. */
export abstract class GatheringStore
  implements
    Pick<Store, 'batch' | 'dirty' | 'gatheredBytes' | 'busy'>,
    Pick<Store, 'put' | 'remove' | 'removeRange'>,
    Pick<Store, 'onDurable' | 'onReadable' | 'onFailure'>
{
  /** How many sealed batches are durable: the number of the last one. */
  protected durable = 0;
  /** Whether changes are taken no more. */
  protected closed = false;
  protected durableListener: ((batch: number) => void) | null = null;
  protected readableListener: ((batch: number) => void) | null = null;
  protected failureListener: ((error: Error) => void) | null = null;
  private gathering = new Batch();
  private gatheringNumber = 1;

  get batch(): number {
    return this.gatheringNumber;
  }

  get dirty(): boolean {
    return this.gathering.length > 0;
  }

  get gatheredBytes(): number {
    return this.gathering.bytes;
  }

  get busy(): boolean {
    return this.durable !== this.gatheringNumber - 1;
  }

  put(table: number, key: Buffer, value: Buffer): void {
    assert(!this.closed, 'put to a closed store');
    this.gathering.put(table, key, value);
  }

  remove(table: number, key: Buffer): void {
    assert(!this.closed, 'remove from a closed store');
    this.gathering.remove(table, key);
  }

  removeRange(table: number, from: Buffer, to: Buffer): void {
    assert(!this.closed, 'removeRange of a closed store');
    this.gathering.removeRange(table, from, to);
  }

  onDurable(listener: (batch: number) => void): void {
    this.durableListener = listener;
  }

  onReadable(listener: (batch: number) => void): void {
    this.readableListener = listener;
  }

  onFailure(listener: (error: Error) => void): void {
    this.failureListener = listener;
  }

  /** Takes the batch being gathered, which is sealed with that, and begins the next one. */
  protected takeGathered(): Batch {
    assert(!this.closed, 'seal of a closed store');
    const taken = this.gathering;
    this.gathering = new Batch();
    this.gatheringNumber += 1;
    return taken;
  }

  /** Forgets what was gathered since the last seal. */
  protected forgetGathered(): void {
    this.gathering = new Batch();
  }
}
