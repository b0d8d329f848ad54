// Owns time that passes with each look at it, so that every slice of a long act is short, and acts that are held.

import { FakeClock, type TestServer } from './support.ts';

/** Every look takes a millisecond, once it creeps: an act gets about five steps in a turn. */
export class CreepingClock extends FakeClock {
  creeps = false;

  override monotonicMs(): number {
    if (this.creeps) this.nowMs += 1;
    return this.nowMs;
  }
}

/** Has acts that began stand still after their first slice; returns how to let them go on. */
export function holdActs(broker: TestServer): () => void {
  const { slices } = broker.server.broker.core;
  const run = slices.run.bind(slices);
  slices.run = () => slices.any;
  return () => {
    slices.run = run;
  };
}
