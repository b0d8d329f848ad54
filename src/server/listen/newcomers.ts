// Owns which peers have not logged in yet, by their addresses, and which of them gives way to another one. Never
// accepts a socket.

import { placeOf } from '../../util/system/address.ts';

/** So many peers may be before their login at a time: each may cost 100 KB, as in the handshake of TLS. */
const NEWCOMERS_MAX = 4096;

/** One peer. */
interface Newcomer {
  readonly place: string;
  readonly cut: () => void;
}

/** The peers that have not logged in yet. */
export class Newcomers {
  private readonly max: number;
  private readonly newcomers = new Map<object, Newcomer>();
  /** By address, those that came first before those that came later. */
  private readonly places = new Map<string, Set<object>>();

  constructor(max = NEWCOMERS_MAX) {
    this.max = max;
  }

  get size(): number {
    return this.newcomers.size;
  }

  /** A peer has come from an address; `cut` ends it. Where there are too many, one gives way. */
  came(peer: object, address: string, cut: () => void): void {
    if (this.size >= this.max) this.giveWay();
    const place = placeOf(address);
    this.newcomers.set(peer, { place, cut });
    const those = this.places.get(place) ?? new Set();
    this.places.set(place, those.add(peer));
  }

  /** It has logged in, or is gone. */
  left(peer: object): void {
    const place = this.newcomers.get(peer)?.place;
    if (place === undefined) return;
    this.newcomers.delete(peer);
    const those = this.places.get(place);
    those?.delete(peer);
    if (those?.size === 0) this.places.delete(place);
  }

  /** Cuts the one that came first of the address that has most; false: there is none. */
  giveWay(): boolean {
    let most = new Set<object>();
    for (const those of this.places.values()) if (those.size > most.size) most = those;
    const [peer] = most;
    if (peer === undefined) return false;
    const cut = this.newcomers.get(peer)?.cut;
    this.left(peer);
    cut?.();
    return true;
  }
}
