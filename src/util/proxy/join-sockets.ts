// Owns letting the bytes of two sockets through to one another. Never reads what they say.

import type { Duplex } from 'node:stream';
import { PreciseTimer } from '../timers.ts';

/** Once one side is gone, the other has so long to take what was sent to it. */
const LEAVE_MS = 5000;

/** A socket, as far as it is joined. */
export interface Joined extends Duplex {
  /** Ends it once all is written. */
  destroySoon(): void;
}

/** Lets the bytes of two sockets through to one another, no faster than they are taken, until one is gone. */
export function joinSockets(one: Joined, other: Joined): void {
  one.pipe(other);
  other.pipe(one);
  follow(one, other);
  follow(other, one);
}

/** Has `other` end once `first` is gone, with what was sent to it before. */
function follow(first: Joined, other: Joined): void {
  first.once('close', () => {
    if (other.destroyed) return;
    const late = new PreciseTimer(() => other.destroy());
    late.set(LEAVE_MS);
    other.once('close', () => late.clear());
    other.destroySoon();
  });
}
