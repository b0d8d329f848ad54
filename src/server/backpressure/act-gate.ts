// Owns that what a peer sends behind a long act of its own waits for the end of that. Never does the act:
// broker/turn/slices.ts does.

import type { Slices, Steps } from '../../broker/turn/slices.ts';
import { PAUSED_BY_ACT, type ReadGate } from './read-gate.ts';

/** What the gate needs of its connection. */
export interface ActingConnection {
  /** Goes on with method `key` of a channel, if that is still open. */
  goOn(number: number, key: number, act: () => void): void;
  /** Reads on unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** The long acts of one connection. */
export class ActGate {
  private readonly connection: ActingConnection;
  private readonly gate: ReadGate;
  private readonly slices: Slices;
  /** How many go on that the peer has to wait for. */
  private acting = 0;

  constructor(connection: ActingConnection, gate: ReadGate, slices: Slices) {
    this.connection = connection;
    this.gate = gate;
    this.slices = slices;
  }

  /**
   * Does a long act of method `key` of a channel in slices, and then `then`. What the peer sends behind it
   * waits. `whole`: the store must have all of it in one batch.
   */
  act(steps: Steps, number: number, key: number, then: () => void, whole = false): void {
    let held = false;
    const over = (): void => {
      if (!held) return then();
      this.connection.goOn(number, key, then);
      this.end();
    };
    if (this.slices.begin(steps, over, whole)) return;
    held = true;
    this.begin();
  }

  /** Reads no more in this turn: acts have had their share of it. */
  rest(): void {
    this.begin();
    this.slices.later(() => this.end());
  }

  private begin(): void {
    this.acting += 1;
    this.gate.pause(PAUSED_BY_ACT);
  }

  private end(): void {
    this.acting -= 1;
    if (this.acting === 0) this.connection.readOn(PAUSED_BY_ACT);
  }
}
