// Owns the tests of walks through a topic trie that are long, and are taken step by step.

import { expect, test } from 'vitest';
import { LONG_WALK_NODES, TopicTrie } from '../../../src/broker/exchange/types/topic-trie.ts';

const KEY = Array.from({ length: 127 }, () => 'a').join('.');

/** Patterns that no walk over `KEY` leaves before its end, each on nodes of its own. */
function winding(): TopicTrie<string> {
  const trie = new TopicTrie<string>();
  for (let ones = 1; ones <= 60; ones++) {
    const tail = ones % 2 === 0 ? '#' : 'b';
    const pattern = `${'*.'.repeat(ones)}${'#.a.'.repeat(Math.floor((250 - ones * 2) / 4))}${tail}`;
    trie.add(pattern, `q${ones}`);
  }
  return trie;
}

test('a long walk is broken off with nothing found, and finds the same step by step', () => {
  const trie = winding();
  const early = new Set<string>();
  expect(trie.match(KEY, early, LONG_WALK_NODES)).toBe(false);
  expect(early.size).toBe(0);
  const atOnce = new Set<string>();
  expect(trie.match(KEY, atOnce)).toBe(true);
  expect(atOnce.size).toBe(30);
  const inSteps = new Set<string>();
  let steps = 0;
  // Others walk in between.
  for (const _ of trie.matching(KEY, inSteps)) {
    steps += 1;
    trie.match('a.a', new Set());
  }
  expect(steps).toBeGreaterThan(50);
  expect([...inSteps].sort()).toEqual([...atOnce].sort());
});

test('a walk in steps goes on while patterns come and go', () => {
  const trie = winding();
  const found = new Set<string>();
  let step = 0;
  for (const _ of trie.matching(KEY, found)) {
    trie.add(`x${step}.#`, 'x');
    if (step > 0) trie.remove(`x${step - 1}.#`, 'x');
    step += 1;
  }
  expect(found.size).toBe(30);
});
