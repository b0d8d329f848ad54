// What is said of something that is tried again and again.

import { expect, test } from 'vitest';
import { Outage } from '../../src/cluster/outage.ts';
import { UnansweredError } from '../../src/store/replicated/log-client.ts';
import { MovableClock } from '../../src/util/clock.ts';

function scene(failuresMin?: number) {
  const lines: unknown[] = [];
  const log = {
    warn: (fields: object, text: string) => lines.push([text, fields]),
    info: (fields: object, text: string) => lines.push([text, fields]),
  };
  const clock = new MovableClock();
  const words = { begins: 'it fails', over: 'it works', ...(failuresMin ? { failuresMin } : {}) };
  return { lines, clock, outage: new Outage(words, log, clock) };
}

test('it is said once that it begins, with each reason, and once that it is over', () => {
  const { lines, clock, outage } = scene();
  outage.worked();
  for (let i = 0; i < 3; i++) outage.failed(new UnansweredError('no answer'));
  outage.failed(new UnansweredError('the login is refused'));
  outage.failed(new UnansweredError('no answer'));
  clock.skip(5000);
  outage.worked();
  outage.worked();
  outage.failed(new UnansweredError('no answer'));
  expect(lines).toEqual([
    ['it fails', { why: 'no answer' }],
    ['it fails', { why: 'the login is refused' }],
    ['it works', { ms: 5000 }],
    ['it fails', { why: 'no answer' }],
  ]);
});

test('reasons without end are not all said, and a bug is shown where it lies', () => {
  const { lines, outage } = scene();
  const bug = new Error('a bug');
  outage.failed(bug);
  for (let i = 0; i < 100; i++) outage.failed(new Error(`${i}`));
  expect(lines).toHaveLength(4);
  expect(lines[0]).toEqual(['it fails', { err: bug }]);
});

test('what fails no more often than it may is not said', () => {
  const { lines, outage } = scene(2);
  for (let i = 0; i < 3; i++) {
    outage.failed(new Error('no answer'));
    outage.worked();
  }
  expect(lines).toEqual([]);
  outage.failed(new UnansweredError('no answer'));
  outage.failed(new UnansweredError('no answer'));
  expect(lines).toEqual([['it fails', { why: 'no answer' }]]);
});
