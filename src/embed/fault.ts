// Owns one fault that waits for its occasion. Never knows what goes wrong then.

import type { Fault } from './options.ts';

/** A fault, with what to look for. */
export class ArmedFault<T> implements Fault {
  readonly what: T;
  readonly done: Promise<void>;
  happened = false;
  private readonly disarm: () => void;
  private resolve: () => void = () => {};

  constructor(what: T, disarm: () => void) {
    this.what = what;
    this.disarm = disarm;
    this.done = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** It happens now. */
  strike(): boolean {
    this.disarm();
    this.happened = true;
    this.resolve();
    return true;
  }

  cancel(): void {
    this.disarm();
  }
}
