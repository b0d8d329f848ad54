// Owns removing the rows of keys that are all forgotten, some at a time. Never decides that they are.

import type { GoneKeys, KeyRows } from './key-rows.ts';

/** Rows removed in one step. */
const STEP_ROWS = 16;

/** Rows of a broker that runs: their numbers are known, whether they are durable yet or not. */
export class KeySweep {
  readonly stored = true;
  private readonly gone: GoneKeys;
  private readonly numbers: readonly number[];
  private readonly rows: KeyRows;
  private next = 0;

  constructor(gone: GoneKeys, numbers: readonly number[], rows: KeyRows) {
    this.gone = gone;
    this.numbers = numbers;
    this.rows = rows;
  }

  get done(): boolean {
    return this.next >= this.numbers.length;
  }

  step(): void {
    const end = Math.min(this.numbers.length, this.next + STEP_ROWS);
    while (this.next < end) {
      this.rows.removePage(this.gone.ownerId, this.numbers[this.next++] as number);
    }
  }

  note(): void {
    this.rows.putGone(this.gone);
  }

  forget(): void {
    this.rows.removeGone(this.gone);
  }
}

/** Rows that a broker before this one had no time to remove. */
export class KeyRowSweep {
  readonly stored = true;
  private readonly gone: GoneKeys;
  private readonly rows: KeyRows;
  private next = 1;

  constructor(gone: GoneKeys, rows: KeyRows) {
    this.gone = gone;
    this.rows = rows;
  }

  get done(): boolean {
    return this.next >= this.gone.end;
  }

  step(): void {
    const { ownerId, end } = this.gone;
    this.next = this.rows.removePages(ownerId, this.next, end, STEP_ROWS);
  }

  note(): void {
    this.rows.putGone(this.gone);
  }

  forget(): void {
    this.rows.removeGone(this.gone);
  }
}
