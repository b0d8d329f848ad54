// Owns the rule that no test may fail because the machine is slow: tests await conditions and move clocks
// by hand, and what is about speed is a benchmark.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const READS_A_CLOCK = /\bperformance\.now\(\)|\bDate\.now\(\)|\bhrtime\b/;

/** Files that read a clock, and why that makes no test fail on a slow machine. */
const ALLOWED: Readonly<Record<string, string>> = {
  'broker/access/login.test.ts': 'a check of a password takes so long at least',
  'server/access.test.ts': 'a check of a password takes so long at least',
  'server/turn/expiry-timer.test.ts': 'the clock is a fake one',
  'server/fuzz.test.ts': 'times are judged in long runs alone',
  'server/listen/listener.test.ts': 'dates of certificates',
  'server/tls/context.test.ts': 'dates of certificates',
  'process/tls.test.ts': 'dates of certificates',
  'embed/fake-timers.test.ts': 'the clock is a fake one',
  'embed/delays.test.ts': 'a time an hour from now',
  'management/beyond.test.ts': 'a date within a minute',
  'conformance/tune.test.ts': 'frames are sent for so long',
  'conformance/dead-letter.test.ts': 'a date within a minute',
  'conformance/streams-consume.test.ts': 'a time an hour from now, and the turn of a second',
};

/** Files that ask how much memory this process has, and why that makes no test fail for what others did in it. */
const READS_MEMORY: Readonly<Record<string, string>> = {
  'support/memory.ts': 'it looks until garbage and buffers of others are gone',
  'fuzz/host.mjs': 'a process of its own, over very many cases',
  'bench/kit.ts': 'benchmarks judge nothing',
};

const ROOT = import.meta.dirname;

function testFiles(): string[] {
  return readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.test.ts') && file !== 'tidy.test.ts' && file !== 'calm.test.ts',
  );
}

test('no test reads a clock to judge how long something took', () => {
  const reading = testFiles().filter((file) =>
    READS_A_CLOCK.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(reading.filter((file) => ALLOWED[file] === undefined)).toEqual([]);
});

test('what is allowed to read a clock does so still', () => {
  const files = testFiles();
  for (const file of Object.keys(ALLOWED)) {
    expect(files, file).toContain(file);
    expect(readFileSync(join(ROOT, file), 'utf8'), file).toMatch(READS_A_CLOCK);
  }
});

test('memory is judged by what is held once garbage is gone, and not by one look', () => {
  const reading = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file) && file !== 'calm.test.ts')
    .filter((file) => /memoryUsage|getHeapStatistics/.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(reading.sort(), 'use support/memory.ts').toEqual(Object.keys(READS_MEMORY).sort());
});

test('what a page of the web UI shows is waited for, and never read once', () => {
  const reading = testFiles()
    .filter((file) => file.startsWith('ui/'))
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('expect(await '));
  expect(reading, 'use expect.poll(() => ...)').toEqual([]);
});

test('a page waits as long as all tests do, not as long as its library does', () => {
  const making = testFiles()
    .filter((file) => file.startsWith('ui/'))
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('.newPage('));
  expect(making, 'use patientPage of ui/stage.ts').toEqual([]);
});
