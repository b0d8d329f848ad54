// Owns what a node counts of its own doings in the cluster, over all the times that it led. Never acts on it.

import type { ClusterCounts } from '../../management/cluster/cluster-view.ts';
import { Histogram } from '../../util/histogram.ts';
import type { Copies } from './copies.ts';
import type { Term } from './term.ts';

/** The counts of a node. */
export class Tally {
  private takeovers = 0;
  /** Of the terms that have ended. */
  private resyncs = 0;
  private readonly appends = new Histogram();

  /** A term begins. */
  begins(): void {
    this.takeovers += 1;
  }

  ended({ log }: Term): void {
    this.resyncs += log.resyncs;
    this.appends.merge(log.appends);
  }

  /** The counts, with those of the term that has not ended; null: the node does not lead. */
  counts(term: Term | null, copies: Copies | null): ClusterCounts {
    const appends = new Histogram();
    appends.merge(this.appends);
    if (term !== null) appends.merge(term.log.appends);
    return {
      takeovers: this.takeovers,
      resyncs: this.resyncs + (term?.log.resyncs ?? 0),
      appends,
      inflightBytes: term?.log.inflightBytes ?? 0,
      leaseAgeMs: term?.leadership.lease.ageMs ?? null,
      snapshotAgeMs: copies?.ageMs ?? null,
    };
  }
}
