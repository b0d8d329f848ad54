// Owns when a server of NATS is tried again. Never connects to one.

import type { Clock } from '../../../util/clock.ts';

/** A server is tried again after so long, ms. */
const AGAIN_MS = 250;

/** A server as NATS's client names it. */
export interface Tried {
  /** `host:port`. */
  readonly listen: string;
}

/**
 * When each server was tried last. NATS's client knows that too, but by the time of day: where that is set back by hours while
 * there is no connection, it tries none for as long. So it is told to wait for nothing, and what it has to wait is said here.
 */
export class Tries {
  private readonly clock: Clock;
  private readonly triedMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** What NATS's client has to wait by itself, ms: always over. */
  static readonly waitMs = (): number => -Infinity;

  /** Which server of a pool is to be tried next, after how many ms; null: there is none. It never throws. */
  readonly next = <Server extends Tried>(
    pool: readonly Server[],
  ): { readonly server: Server; readonly delay: number } | null => {
    const [server] = pool;
    if (server === undefined) return null;
    const nowMs = this.clock.monotonicMs();
    const dueMs = (this.triedMs.get(server.listen) ?? -Infinity) + AGAIN_MS;
    const delay = Math.max(0, Math.ceil(dueMs - nowMs));
    this.forgetOthers(pool);
    this.triedMs.set(server.listen, nowMs + delay);
    return { server, delay };
  };

  private forgetOthers(pool: readonly Tried[]): void {
    for (const listen of this.triedMs.keys()) {
      if (!pool.some((each) => each.listen === listen)) this.triedMs.delete(listen);
    }
  }
}
