// Owns the pages of one queue in order of their numbers. Never reads the store: for a page that is only
// there something else stands, and the queue loads it.

import { assert } from '../../../../util/assert.ts';
import type { AwayPage } from './away-page.ts';
import type { Page } from './page.ts';

/** How many places of pages that are gone may stand at the front before the array is cut. */
const SLACK_MAX = 1024;

/** Pages by their numbers; undefined: gone. */
export type Places = (Page | AwayPage | undefined)[];

/**
 * An array of pages that grows at its end and loses pages anywhere.
 *
 *   places  [gone gone | page away gone page ... page]     away: in the store only
 *                      head                          last
 */
export class PageList {
  private places: Places = [];
  private head = 0;
  /** The number of the page at `head`. */
  private firstNumber = 0;

  /** The number of the first place. */
  get first(): number {
    return this.firstNumber;
  }

  /** One past the number of the last place. */
  get end(): number {
    return this.firstNumber + this.places.length - this.head;
  }

  /** The page of that number; undefined when it is gone. */
  at(number: number): Page | AwayPage | undefined {
    return this.places[number - this.firstNumber + this.head];
  }

  /** Puts a page at its number: the last place, or beyond it. */
  add(number: number, page: Page | AwayPage): void {
    if (this.places.length === this.head) {
      this.places.length = 0;
      this.head = 0;
      this.firstNumber = number;
    }
    if (number === this.end - 1 && this.at(number) === undefined) this.places.pop();
    assert(number >= this.end, 'pages are added in order');
    while (this.end < number) this.places.push(undefined);
    this.places.push(page);
  }

  /** Puts a page that was read back in its place, or what stands for one that left memory. */
  set(number: number, page: Page | AwayPage): void {
    this.places[number - this.firstNumber + this.head] = page;
  }

  /** Takes a page out for good. */
  drop(number: number): void {
    this.places[number - this.firstNumber + this.head] = undefined;
    this.cutFront();
  }

  /** Takes out all pages of a range of numbers; returns their places, and the number of the first. */
  takeRange(from: number, to: number): { readonly first: number; readonly places: Places } {
    const first = Math.max(from, this.firstNumber);
    const start = first - this.firstNumber + this.head;
    const end = Math.max(start, Math.min(to, this.end) - this.firstNumber + this.head);
    const places = this.places.slice(start, end);
    this.places.fill(undefined, start, end);
    this.cutFront();
    return { first, places };
  }

  private cutFront(): void {
    while (this.head < this.places.length && this.places[this.head] === undefined) {
      this.head += 1;
      this.firstNumber += 1;
    }
    if (this.head > SLACK_MAX && this.head * 2 > this.places.length) {
      this.places = this.places.slice(this.head);
      this.head = 0;
    }
  }
}
