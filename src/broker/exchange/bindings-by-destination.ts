// Owns which bindings lead to each destination, so that one that goes takes its bindings along without a look
// at those of others. Never changes an exchange.

import type { Destination, Exchange } from './exchange.ts';

/** The identities of the bindings from one exchange to one destination; mostly there is only one. */
type Identities = string | Set<string>;

/** For each destination, the exchanges that have bindings to it, and which. */
export class BindingsByDestination {
  private readonly byDestination = new Map<Destination, Map<Exchange, Identities>>();

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

  /**
   * The bindings to a destination. Those that it gave may be removed before it is asked for more: starting
   * anew for each would step over the places of all that were removed before.
   */
  *bindingsTo(
    destination: Destination,
  ): Generator<{ readonly source: Exchange; readonly identity: string }, void> {
    for (const [source, identities] of this.byDestination.get(destination) ?? []) {
      if (typeof identities === 'string') yield { source, identity: identities };
      else for (const identity of identities) yield { source, identity };
    }
  }

  clear(): void {
    this.byDestination.clear();
  }
}
