// Owns which pages of a lane were found damaged after the start, and what stands for them. Never touches their rows.

import type { AwayPage } from './away-page.ts';
import { fillUp, PAGE_ENTRIES, Page } from './page.ts';

/** The lost pages of one lane. Of their messages those that are out for delivery still end, without anything else. */
export class LostPages {
  private readonly pages = new Map<number, AwayPage>();
  /** Stands for the one that was asked for last. */
  private readonly shown = new Page(0);

  add(number: number, page: AwayPage): void {
    this.pages.set(number, page);
  }

  /** A page without a message, in the place of a lost one, for one look; null: that page is not lost. */
  at(number: number): Page | null {
    const page = this.pages.get(number);
    if (page === undefined) return null;
    const { shown } = this;
    shown.reset(number);
    fillUp(shown, PAGE_ENTRIES);
    if (page.outGroups === null) return shown;
    shown.groups = new Float64Array(PAGE_ENTRIES);
    for (const [slot, key] of page.outGroups) shown.groups[slot] = key;
    return shown;
  }
}
