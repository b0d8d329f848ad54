// Owns which bindings lead to each destination, so that one that goes takes its bindings along without a look
// at those of others. Never changes an exchange.

import type { Destination, Exchange } from './exchange.ts';

/** The identities of the bindings from one exchange to one destination; mostly there is only one. */
type Identities = string | Set<string>;

/** For each destination, the exchanges that have bindings to it, and which. */
export class Sources {
  private readonly byDestination = new Map<Destination, Map<Exchange, Identities>>();

  /** The exchanges with bindings to a destination. */
  of(destination: Destination): Iterable<Exchange> {
    return this.byDestination.get(destination)?.keys() ?? [];
  }

  /** How many bindings lead to a destination. */
  count(destination: Destination): number {
    let count = 0;
    for (const identities of this.byDestination.get(destination)?.values() ?? []) {
      count += typeof identities === 'string' ? 1 : identities.size;
    }
    return count;
  }

  add(destination: Destination, source: Exchange, identity: string): void {
    const sources = this.byDestination.get(destination);
    if (sources === undefined) {
      this.byDestination.set(destination, new Map([[source, identity]]));
      return;
    }
    const identities = sources.get(source);
    if (identities === undefined) sources.set(source, identity);
    else if (typeof identities === 'string') sources.set(source, new Set([identities, identity]));
    else identities.add(identity);
  }

  remove(destination: Destination, source: Exchange, identity: string): void {
    const sources = this.byDestination.get(destination);
    const identities = sources?.get(source);
    if (sources === undefined || identities === undefined) return;
    if (typeof identities !== 'string') {
      identities.delete(identity);
      if (identities.size > 0) return;
    }
    sources.delete(source);
    if (sources.size === 0) this.byDestination.delete(destination);
  }

  /** Some binding to a destination, or null when there is none. */
  first(destination: Destination): { readonly source: Exchange; readonly identity: string } | null {
    for (const [source, identities] of this.byDestination.get(destination) ?? []) {
      if (typeof identities === 'string') return { source, identity: identities };
      for (const identity of identities) return { source, identity };
    }
    return null;
  }

  clear(): void {
    this.byDestination.clear();
  }
}
