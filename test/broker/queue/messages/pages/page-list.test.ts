// Owns the tests of the list of a queue's pages.

import { expect, test } from 'vitest';
import { AwayPage } from '../../../../../src/broker/queue/messages/pages/away-page.ts';
import { Page } from '../../../../../src/broker/queue/messages/pages/page.ts';
import { PageList } from '../../../../../src/broker/queue/messages/pages/page-list.ts';
import { type Random, withSeed } from '../../../../amqp/random.ts';

const AWAY = new AwayPage(new Page(0), { purges: 0, isReady: () => true });

test('pages are found by their numbers, as in a Map, whichever go first', () => {
  withSeed((random: Random) => {
    for (let run = 0; run < 3; run++) {
      const list = new PageList();
      const model = new Map<number, Page | AwayPage>();
      let next = 0;
      for (let n = 0; n < 600; n++) {
        const dice = random.below(100);
        const known = [...model.keys()];
        if (dice < 50 || known.length === 0) {
          next += random.below(10) === 0 ? random.below(300) : 0;
          const page = random.below(3) === 0 ? AWAY : new Page(next);
          list.add(next, page);
          model.set(next, page);
          next += 1;
        } else if (dice < 60) {
          const number = random.pick(known);
          const page = new Page(number);
          list.set(number, page);
          model.set(number, page);
        } else {
          const number = dice < 80 ? (known[0] as number) : random.pick(known);
          list.drop(number);
          model.delete(number);
        }
        const wrong: number[] = [];
        for (let number = 0; number < next + 3; number++) {
          if (list.at(number) !== model.get(number)) wrong.push(number);
        }
        expect(wrong).toEqual([]);
        const lowest = Math.min(...model.keys());
        if (model.size > 0) expect(list.first).toBe(lowest);
      }
    }
  });
});

test('a list that loses pages at its front as it grows at its end stays small', () => {
  const list = new PageList();
  for (let number = 0; number < 20_000; number++) {
    list.add(number, AWAY);
    if (number >= 10) list.drop(number - 10);
  }
  expect(list.first).toBe(19_990);
  expect(list.end).toBe(20_000);
  expect(list['places'].length).toBeLessThan(3_000);
});

test('an empty list goes on at any number', () => {
  const list = new PageList();
  list.add(4, AWAY);
  list.drop(4);
  list.add(2 ** 31, AWAY);
  expect(list.first).toBe(2 ** 31);
  expect(list.at(2 ** 31)).toBe(AWAY);
  expect(list.at(5)).toBeUndefined();
});
