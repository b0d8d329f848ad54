import { expect, test } from 'vitest';
import { DestinationList } from '../../../src/broker/exchange/destination-list.ts';
import { seeded } from './random.ts';

test('a list agrees with a plain count of bindings, short or long', () => {
  const random = seeded();
  const list = new DestinationList<number>([]);
  const counts = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const destination = random.below(60);
    const count = counts.get(destination) ?? 0;
    // The list grows for a while, then shrinks, again and again.
    const grows = random.below(10) < (Math.floor(i / 500) % 2 === 0 ? 7 : 3);
    if (grows) {
      list.add(destination);
      counts.set(destination, count + 1);
    } else if (count > 0) {
      list.remove(destination);
      if (count === 1) counts.delete(destination);
      else counts.set(destination, count - 1);
    }
    if (i % 50 === 0) expect([...list.items].sort()).toEqual([...counts.keys()].sort());
  }
});
