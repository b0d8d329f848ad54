import { expect, test } from 'vitest';
import type { Binding } from '../../../../src/broker/exchange/binding.ts';
import { TopicRouter } from '../../../../src/broker/exchange/types/topic.ts';
import { seeded } from '../random.ts';
import { bind, routed } from '../support.ts';

// pattern, keys that match, keys that do not
const PATTERNS: [string, string[], string[]][] = [
  ['', [''], ['a', '.']],
  ['a', ['a'], ['', 'b', 'a.', '.a', 'a.a', 'A']],
  ['*', ['a', '*', '#'], ['', '.', 'a.b']],
  ['#', ['', 'a', '.', 'a.b', '..', 'a..b.'], []],
  ['a.b', ['a.b'], ['a', 'a.', 'a.b.', 'a.b.c', 'a..b']],
  ['a.*', ['a.b', 'a.'], ['a', 'a.b.c', 'b.a', '.a']],
  ['*.a', ['b.a', '.a'], ['a', 'a.b', 'b.b.a']],
  ['a.#', ['a', 'a.', 'a.b', 'a.b.c'], ['', 'b', 'ab', '.a', 'b.a']],
  ['#.a', ['a', '.a', 'b.a', 'c.b.a', 'a.a'], ['', 'a.', 'a.b', 'ba']],
  ['a.#.b', ['a.b', 'a..b', 'a.c.b', 'a.b.b', 'a.c.d.b'], ['a', 'b', 'a.b.c', 'a.c']],
  ['a.*.b', ['a.c.b', 'a..b', 'a.b.b'], ['a.b', 'a.c.d.b']],
  ['#.#', ['', 'a', 'a.b', '..'], []],
  ['*.#', ['a', 'a.b', '..'], ['']],
  ['#.*', ['a', 'a.b', '..'], ['']],
  ['*.*', ['.', 'a.b', 'a.'], ['', 'a', 'a.b.c']],
  ['#.*.*', ['.', 'a.b', 'a.b.c'], ['', 'a']],
  ['*.#.*', ['.', 'a.b', 'a.b.c'], ['', 'a']],
  ['#.a.#', ['a', 'a.b', 'b.a', 'c.a.b', 'b.b.a.c.c', '.a.'], ['', 'b', 'aa', 'b.c']],
  ['#.a.#.b.#', ['a.b', 'c.a.b', 'a.c.b', 'a.b.c', 'b.a.b'], ['b.a', 'a', 'b', 'ab']],
  ['a..b', ['a..b'], ['a.b', 'a.c.b', 'a...b']],
  ['.', ['.'], ['', '..', 'a.b']],
  ['a*', ['a*'], ['ab', 'a']],
  ['#a', ['#a'], ['a', 'b.a']],
  ['ключ.*', ['ключ.1'], ['клю.1']],
];

test.each(PATTERNS)('%j matches just the keys it should', (pattern, matching, others) => {
  const router = new TopicRouter<string>();
  router.add(bind('q', pattern));
  for (const key of matching) expect([key, routed(router, key)]).toEqual([key, ['q']]);
  for (const key of others) expect([key, routed(router, key)]).toEqual([key, []]);
});

test('a destination with several matching patterns is found once', () => {
  const router = new TopicRouter<string>();
  for (const pattern of ['a.#', '#', '*.b', 'a.b']) router.add(bind('q1', pattern));
  router.add(bind('q2', 'a.*'));
  expect(routed(router, 'a.b')).toEqual(['q1', 'q2']);
});

test('a changed binding shows at once in keys routed before', () => {
  const router = new TopicRouter<string>();
  const first = bind('q1', 'a.*');
  router.add(first);
  expect(routed(router, 'a.b')).toEqual(['q1']);
  router.add(bind('q2', '#'));
  expect(routed(router, 'a.b')).toEqual(['q1', 'q2']);
  router.remove(first);
  expect(routed(router, 'a.b')).toEqual(['q2']);
});

test('answers stay right while the cache turns over', () => {
  const router = new TopicRouter<string>(10);
  router.add(bind('q1', 'a.*'));
  router.add(bind('q2', 'a.#'));
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 50; i++) expect(routed(router, `a.${i % 7}`)).toEqual(['q1', 'q2']);
    for (let i = 0; i < 50; i++) expect(routed(router, `a.${i}.x`)).toEqual(['q2']);
  }
});

test('an answer larger than the cache is found anew each time', () => {
  const router = new TopicRouter<string>(10);
  for (let i = 0; i < 100; i++) router.add(bind(`q${i}`, '#'));
  expect(routed(router, 'a')).toHaveLength(100);
  expect(routed(router, 'a')).toHaveLength(100);
});

test('the longest keys and patterns full of # cost no more than words times nodes', () => {
  const router = new TopicRouter<string>(0);
  router.add(bind('dots', '.'.repeat(255)));
  router.add(bind('hashes', `${'#.'.repeat(127)}#`));
  router.add(bind('mixed', `${'#.a.'.repeat(63)}#`));
  router.add(bind('never', `${'#.a.'.repeat(63)}b`));
  const words = `${'a.'.repeat(127)}a`;
  // An exponential walk would not come back at all.
  for (let i = 0; i < 20; i++) {
    expect(routed(router, words)).toEqual(['hashes', 'mixed']);
    expect(routed(router, '.'.repeat(255))).toEqual(['dots', 'hashes']);
  }
});

test('all ways to write one pattern of wildcards share the nodes of a walk', () => {
  const router = new TopicRouter<string>(0);
  const wildcards = (bits: number) =>
    Array.from({ length: 10 }, (_, n) => (((bits >> n) & 1) === 0 ? '*' : '#')).join('.');
  for (let bits = 0; bits < 1024; bits++) router.add(bind(`q${bits}`, wildcards(bits)));
  // Ten nodes for `*`, and a `#` behind each number of them but the tenth.
  expect(router.size).toBe(20);
  expect(routed(router, 'a.b.c')).toHaveLength(
    Array.from({ length: 1024 }, (_, bits) => wildcards(bits).split('*').length - 1).filter(
      (ones) => ones <= 3,
    ).length,
  );
  for (let bits = 0; bits < 1024; bits++) router.remove(bind(`q${bits}`, wildcards(bits)));
  expect(router.size).toBe(0);
});

/** What a topic pattern means, written down as plainly as can be. */
function matches(pattern: readonly string[], key: readonly string[]): boolean {
  const [head, ...rest] = pattern;
  if (head === undefined) return key.length === 0;
  if (head === '#') {
    return matches(rest, key) || (key.length > 0 && matches(pattern, key.slice(1)));
  }
  return key.length > 0 && (head === '*' || head === key[0]) && matches(rest, key.slice(1));
}

/** An empty key has no words; `.` has two empty ones. */
function split(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

test('the trie agrees with a plain matcher while bindings come and go, and ends empty', () => {
  const random = seeded();
  const word = () => random.pick(['a', 'b', 'c', '']);
  const wild = () => random.pick(['a', 'b', 'c', '', '*', '*', '#', '#']);
  const words = (one: () => string) => Array.from({ length: 1 + random.below(5) }, one).join('.');
  // A small cache, so that it turns over between the changes.
  const router = new TopicRouter<string>(64);
  const bound: Binding<string>[] = [];
  for (let i = 0; i < 3_000; i++) {
    if (random.below(5) === 0) {
      if (bound.length < 40 && random.below(bound.length + 20) < 20) {
        const binding = bind(`q${random.below(12)}`, words(wild));
        bound.push(binding);
        router.add(binding);
      } else if (bound.length > 0) {
        const [binding] = bound.splice(random.below(bound.length), 1);
        router.remove(binding as Binding<string>);
      }
    }
    const key = words(word);
    const hit = bound.filter((b) => matches(split(b.bindingKey), split(key)));
    const expected = [...new Set(hit.map((b) => b.destination))].sort();
    expect([key, routed(router, key)]).toEqual([key, expected]);
  }
  while (bound.length > 0) {
    router.remove(bound.splice(random.below(bound.length), 1)[0] as Binding<string>);
  }
  expect(router.size).toBe(0);
});

test('a pattern that is part of a longer one goes without taking it along', () => {
  const router = new TopicRouter<string>();
  const short = bind('short', 'a.#');
  const long = bind('long', 'a.#.b.*');
  router.add(short);
  router.add(long);
  router.remove(short);
  expect(routed(router, 'a.b.c')).toEqual(['long']);
  expect(router.size).toBe(4);
  router.remove(long);
  expect(router.size).toBe(0);
});
