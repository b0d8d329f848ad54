import { beforeEach, expect, test, vi } from 'vitest';
import type { Descriptor, Taken } from '../../../src/cli/log/descriptor.ts';
import { LineSink, WAITING_BYTES_MAX } from '../../../src/cli/log/line-sink.ts';
import { makeLogger } from '../../../src/cli/logger.ts';
import { droppedLines } from '../../../src/util/log/dropped-lines.ts';

const SETTINGS = { logConsole: true, logLevel: 'info', logFormatter: 'json' } as const;

/** A file that takes `room` bytes, then none until there is room again, or fails. */
class FakeFile implements Descriptor {
  room = Number.POSITIVE_INFINITY;
  failure: string | null = null;
  text = '';
  offers = 0;
  /** Answers later, as a thread does. */
  late: (() => void)[] | null = null;

  offer(bytes: Buffer, taken: Taken): void {
    this.offers += 1;
    const answer = (): void => {
      if (this.failure !== null) taken(Object.assign(new Error('no'), { code: this.failure }), 0);
      else taken(null, this.take(bytes));
    };
    if (this.late === null) answer();
    else this.late.push(answer);
  }

  offerNow(bytes: Buffer): number {
    if (this.failure !== null) throw Object.assign(new Error('no'), { code: this.failure });
    return this.take(bytes);
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  private take(bytes: Buffer): number {
    const count = Math.min(this.room, bytes.length);
    this.text += bytes.subarray(0, count).toString();
    this.room -= count;
    return count;
  }
}

let file: FakeFile;
let sink: LineSink;

beforeEach(() => {
  vi.useFakeTimers();
  file = new FakeFile();
  sink = new LineSink(file);
  return () => vi.useRealTimers();
});

const line = (i: number): string => `line ${String(i).padStart(6, '0')} ${'x'.repeat(87)}\n`;

test('a line that there is room for is written before the call returns', () => {
  sink.write('one\n');
  expect(file.text).toBe('one\n');
});

test('lines that there is no room for wait, and come in order, whole, once there is', () => {
  file.room = 250;
  for (let i = 0; i < 100; i++) sink.write(line(i));
  expect(file.text.length).toBe(250);
  file.room = 333;
  vi.advanceTimersByTime(1000);
  file.room = Number.POSITIVE_INFINITY;
  vi.advanceTimersByTime(1000);
  expect(file.text).toBe(Array.from({ length: 100 }, (_, i) => line(i)).join(''));
});

test('a file that takes nothing is not asked for each line, and what waits is bounded', () => {
  file.room = 0;
  const before = droppedLines.count;
  for (let i = 0; i < 30_000; i++) sink.write(line(i));
  expect(file.offers).toBe(1);
  expect(droppedLines.count - before).toBe(30_000 - Math.floor(WAITING_BYTES_MAX / line(0).length));
});

test.each(['ENOSPC', 'EIO', 'EPIPE'])('%s drops nothing that fits, and never throws', (code) => {
  file.failure = code;
  for (let i = 0; i < 100; i++) sink.write(line(i));
  vi.advanceTimersByTime(10_000);
  file.failure = null;
  vi.advanceTimersByTime(10_000);
  expect(file.lines.length).toBe(100);
});

test('how many lines were dropped is said in the log as soon as there is room again', async () => {
  const logger = await makeLogger(SETTINGS, { terminal: false, colours: false, target: sink });
  file.failure = 'ENOSPC';
  for (let i = 0; i < 30_000; i++) logger.info({ i }, 'a line');
  file.failure = null;
  vi.advanceTimersByTime(1000);
  const written = file.lines.map((each) => JSON.parse(each) as Record<string, unknown>);
  const said = written.filter(({ msg }) => msg === 'lines of the log were dropped');
  expect(said).toMatchObject([{ level: 'warn', code: 'ENOSPC' }]);
  expect(Number(said[0]?.['dropped']) + written.length - 1).toBe(30_000);
  logger.info('and on');
  expect(file.lines.at(-1)).toContain('and on');
});

test('a write that takes its time holds up no line, and none overtakes it', () => {
  file.late = [];
  for (let i = 0; i < 50; i++) sink.write(line(i));
  expect([file.offers, file.text]).toEqual([1, '']);
  for (let answer = file.late.shift(); answer !== undefined; answer = file.late.shift()) answer();
  expect(file.text).toBe(Array.from({ length: 50 }, (_, i) => line(i)).join(''));
});

test('the end waits for room, but not for ever', () => {
  vi.useRealTimers();
  file.room = 100;
  for (let i = 0; i < 3; i++) sink.write(line(i));
  expect(sink.end(20)).toBe(false);
  file.room = 1000;
  expect(sink.end(20)).toBe(true);
  expect(file.lines.length).toBe(3);
  file.failure = 'ENOSPC';
  sink.write(line(4));
  expect(sink.end(20)).toBe(false);
});

test('names and texts of any length are cut, and what is in them breaks no line', async () => {
  const logger = await makeLogger(SETTINGS, { terminal: false, colours: false, target: sink });
  const long = 'q'.repeat(100_000);
  const knot: Record<string, unknown> = {};
  knot['knot'] = knot;
  logger.child({ peer: 'p' }).warn({ queue: long, names: [long], deep: { queue: long } }, long);
  logger.error({ err: new Error(long, { cause: new Error(long) }), knot }, 'bug');
  logger.info({ queue: `${'a'.repeat(253)}🐇🐇`, list: Array.from({ length: 5000 }, () => 'x') });
  expect(file.lines.length).toBe(3);
  for (const each of file.lines) expect(each.length).toBeLessThan(16_384);
  const [first, , third] = file.lines.map((each) => JSON.parse(each) as Record<string, unknown>);
  expect(first).toMatchObject({
    queue: `${'q'.repeat(254)}…`,
    names: [`${'q'.repeat(254)}…`],
    deep: { queue: `${'q'.repeat(254)}…` },
  });
  expect(third?.['queue']).toBe(`${'a'.repeat(253)}…`);
});
