import { pino } from 'pino';
import { expect, test } from 'vitest';
import { SocketLimit } from '../../../src/server/listen/socket-limit.ts';
import { FakeClock } from '../support.ts';

interface Line {
  msg: string;
  refused: number;
}

function make(connectionMax: number, socketMax: number) {
  const lines: Line[] = [];
  const write = (line: string): number => lines.push(JSON.parse(line) as Line);
  const clock = new FakeClock();
  const room = new SocketLimit(connectionMax, socketMax, pino({ base: null }, { write }), clock);
  return { room, lines, clock };
}

test('those that log in have room beyond the limit of connections', () => {
  const { room, lines } = make(2, Number.POSITIVE_INFINITY);
  expect(room.allows(2)).toBe(true);
  expect(room.allows(1001)).toBe(true);
  expect(room.allows(1002)).toBe(false);
  expect(lines).toMatchObject([{ msg: expect.stringContaining('connection_max is 2') }]);
});

test('a newcomer is refused before the system has no files left, with a word on what to do', () => {
  const { room, lines } = make(Number.POSITIVE_INFINITY, 10);
  expect(room.allows(9)).toBe(true);
  expect(room.allows(10)).toBe(false);
  expect(lines).toMatchObject([{ msg: expect.stringContaining('ulimit -n') }]);
});

test('a storm is said once in a while, with how many were refused', () => {
  const { room, lines, clock } = make(Number.POSITIVE_INFINITY, 10);
  for (let i = 0; i < 100; i++) room.allows(10);
  clock.nowMs += 5000;
  room.allows(10);
  expect(lines.map(({ refused }) => refused)).toEqual([1, 100]);
});
