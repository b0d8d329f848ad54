// Owns the tests of which pages stay in memory.

import { expect, test } from 'vitest';
import { LoadedPages } from '../../../../../src/broker/queue/messages/pages/loaded-pages.ts';
import type { Page, PageHome } from '../../../../../src/broker/queue/messages/pages/page.ts';
import { type Random, withSeed } from '../../../../amqp/random.ts';

/** A queue that holds on to the pages in `kept`, and notes those it released. */
class Home implements PageHome {
  readonly kept = new Set<number>();
  readonly released: number[] = [];
  durableBatch = 0;

  release(page: Page, durableBatch: number): boolean {
    this.durableBatch = durableBatch;
    if (this.kept.has(page.number)) return false;
    this.released.push(page.number);
    return true;
  }
}

test('the pages that came first leave first, and no more than is needed', () => {
  const loaded = new LoadedPages(10);
  const home = new Home();
  for (let number = 0; number < 25; number++) loaded.take(number, home);
  expect(home.released).toEqual(Array.from({ length: 14 }, (_, n) => n));
  expect(loaded.count).toBe(11);
});

test('a page that its queue holds on to stays, and is asked again later', () => {
  const loaded = new LoadedPages(3);
  const home = new Home();
  for (const number of [1, 3]) home.kept.add(number);
  for (let number = 0; number < 9; number++) loaded.take(number, home);
  expect(home.released).toEqual([0, 2, 4, 5, 6]);
  home.kept.clear();
  for (let number = 9; number < 13; number++) loaded.take(number, home);
  expect(home.released).toContain(1);
  expect(home.released).toContain(3);
});

test('pages that nobody lets go of cost a bounded look for each one that comes', () => {
  const loaded = new LoadedPages(3);
  const home = new Home();
  let looks = 0;
  home.release = () => {
    looks += 1;
    return false;
  };
  for (let number = 0; number < 1_000; number++) loaded.take(number, home);
  expect(loaded.count).toBe(1_000);
  expect(looks).toBeLessThanOrEqual(8 * 1_000);
});

test('what has become durable may leave at once', () => {
  const loaded = new LoadedPages(3);
  const home = new Home();
  for (let number = 0; number < 9; number++) home.kept.add(number);
  for (let number = 0; number < 9; number++) loaded.take(number, home);
  home.kept.clear();
  loaded.durable(7);
  expect(home.durableBatch).toBe(7);
  expect(loaded.count).toBe(3);
});

test('any page may leave the ring at any time', () => {
  withSeed((random: Random) => {
    const loaded = new LoadedPages(1_000);
    const home = new Home();
    const pages: Page[] = [];
    for (let n = 0; n < 2_000; n++) {
      if (random.bool() || pages.length === 0) {
        pages.push(loaded.take(n, home));
      } else {
        const [page] = pages.splice(random.below(pages.length), 1) as [Page];
        loaded.leave(page);
        loaded.leave(page);
        loaded.recycle(page);
      }
      expect(loaded.count).toBe(pages.length);
    }
    Object.assign(loaded, { max: 0 });
    loaded.durable(1);
    expect(home.released.sort()).toEqual(pages.map(({ number }) => number).sort());
    expect(loaded.count).toBe(0);
  });
});
