import { expect, it } from 'vitest';
import { findFaults } from './moves-check.mjs';

const SENT = new Map([
  ['a', true],
  ['b', false],
]);

it('finds no fault in one place for each, and none for what was not confirmed', () => {
  expect(findFaults(SENT, new Map([['a', ['dead']]]))).toEqual([]);
  expect(
    findFaults(
      SENT,
      new Map([
        ['a', ['source']],
        ['b', ['dead']],
      ]),
    ),
  ).toEqual([]);
});

it('finds a message that is both in its queue and among its dead letters', () => {
  const places = new Map([['a', ['source', 'dead']]]);
  expect(findFaults(SENT, places)).toEqual(['a is in source and dead']);
});

it('finds a confirmed message that is in neither', () => {
  expect(findFaults(SENT, new Map())).toEqual(['a was confirmed and is nowhere']);
});

it('finds a message that was settled in an earlier round', () => {
  const places = new Map([
    ['a', ['dead']],
    ['old', ['dead']],
  ]);
  expect(findFaults(SENT, places)).toEqual(['old was not sent in this round']);
});
