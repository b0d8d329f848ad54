// Owns a machine whose memory and disk are as full as a test says.

import type { Machine } from '../../src/server/backpressure/machine.ts';

/** Nothing is in use, and the disk is without end, until a test says otherwise. */
export class FakeMachine implements Machine {
  readonly memoryTotal = 1000 * 2 ** 20;
  readonly socketMax: number;
  /** Bytes of memory in use. */
  inUse = 0;
  /** Bytes of the disk that are free. */
  free = Number.POSITIVE_INFINITY;

  constructor(socketMax = 1000) {
    this.socketMax = socketMax;
  }

  memoryInUse(): number {
    return this.inUse;
  }

  diskFree(): Promise<number> {
    return Promise.resolve(this.free);
  }

  collectGarbage(): void {}
}
