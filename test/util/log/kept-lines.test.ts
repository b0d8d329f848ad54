import { pino } from 'pino';
import { expect, test } from 'vitest';
import { CHARS_MAX, KeptLines, LINES_MAX } from '../../../src/util/log/kept-lines.ts';
import { keptLogger } from '../../../src/util/log/safe-logger.ts';

/** Lines whose time is the number of the call. */
function kept(): KeptLines {
  let now = 0;
  return new KeptLines({ wallMs: () => ++now });
}

test('the newest lines come first, and the oldest are forgotten beyond a thousand', () => {
  const lines = kept();
  for (let i = 0; i < LINES_MAX + 5; i++) lines.add('info', `line ${i}`, {});
  expect(lines.counts).toEqual({ kept: LINES_MAX, forgotten: 5 });
  const all = lines.find('trace', '', LINES_MAX);
  expect(all).toHaveLength(LINES_MAX);
  expect(all[0]?.text).toBe('line 1004');
  expect(all.at(-1)?.text).toBe('line 5');
  expect(lines.find('trace', '', 3)).toHaveLength(3);
});

test('long lines are forgotten sooner, so that memory stays bounded', () => {
  const lines = kept();
  const long = 'x'.repeat(CHARS_MAX / 8);
  for (let i = 0; i < 100; i++) lines.add('info', long, { i });
  const { kept: left } = lines.counts;
  expect(left).toBeLessThanOrEqual(8);
  expect(left).toBeGreaterThanOrEqual(7);
  expect(lines.find('trace', '', LINES_MAX)[0]?.fields).toBe('{"i":99}');
});

test('lines are found by their level, and by their text and fields in any case', () => {
  const lines = kept();
  lines.add('debug', 'a queue', { queue: 'Jobs' });
  lines.add('warn', 'slow', {});
  lines.add('error', 'failed', { err: new Error('No Space') });
  const texts = (level: 'trace' | 'warn', text: string) =>
    lines.find(level, text, 9).map((each) => each.text);
  expect(texts('warn', '')).toEqual(['failed', 'slow']);
  expect(texts('trace', 'jobs')).toEqual(['a queue']);
  expect(texts('trace', 'no space')).toEqual(['failed']);
  expect(texts('warn', 'jobs')).toEqual([]);
});

test('what the logger writes is kept with the fields of its parents, and nothing that it leaves out', () => {
  const lines = kept();
  const written: string[] = [];
  const program = pino({ level: 'info', base: null }, { write: (line) => written.push(line) });
  const logger = keptLogger(program, lines);
  const child = logger.child({ connection: 'a' }).child({ channel: 1 });
  child.debug({ queue: 'q' }, 'left out');
  child.info({ queue: 'q' }, 'declared');
  logger.warn('alone');
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  logger.error({ circle, big: 1n }, 'odd');
  expect(written).toHaveLength(3);
  const found = lines.find('trace', '', 9);
  expect(found.map(({ text }) => text)).toEqual(['odd', 'alone', 'declared']);
  expect(JSON.parse(found[2]?.fields ?? '')).toEqual({ connection: 'a', channel: 1, queue: 'q' });
});
