import { readFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { type Machine, thisMachine } from '../../../src/server/backpressure/machine.ts';

const MIB = 2 ** 20;

test('memory in use follows what is outside the heap, and is less than there is', () => {
  const machine = thisMachine(null);
  // Garbage of tests that ran before in this process must not be freed between the two looks.
  machine.collectGarbage();
  const before = machine.memoryInUse();
  expect(before).toBeGreaterThan(10 * MIB);
  const kept = Array.from({ length: 200 }, () => Buffer.alloc(MIB, 1));
  expect(machine.memoryInUse() - before).toBeGreaterThan(100 * MIB);
  expect(machine.memoryInUse()).toBeLessThan(machine.memoryTotal);
  expect(kept).toHaveLength(200);
});

test('what was freed is in use no more once garbage is collected, whatever the C library keeps', () => {
  const machine = thisMachine(null);
  const full = filled(machine);
  machine.collectGarbage();
  expect(full - machine.memoryInUse()).toBeGreaterThan(150 * MIB);
});

/** What is in use while 300 MB are that nobody holds afterwards. */
function filled(machine: Machine): number {
  const kept = Array.from({ length: 3000 }, () => Buffer.alloc(100_000, 1));
  return kept.length === 3000 ? machine.memoryInUse() : 0;
}

test('all memory is no more than that of the machine', () => {
  const { memoryTotal } = thisMachine(null);
  expect(memoryTotal).toBeGreaterThan(64 * MIB);
  expect(memoryTotal).toBeLessThanOrEqual(totalmem());
});

test('a disk has room, and no folder needs none', async () => {
  expect(await thisMachine(tmpdir()).diskFree()).toBeGreaterThan(0);
  expect(await thisMachine(null).diskFree()).toBe(Number.POSITIVE_INFINITY);
  await expect(thisMachine('/no/such/folder').diskFree()).rejects.toThrow('ENOENT');
});

test('sockets are left some of the files that may be open', () => {
  const { socketMax } = thisMachine(null);
  const limit = Number(
    /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
  );
  expect(socketMax).toBeGreaterThan(0);
  expect(socketMax).toBeLessThan(limit - 32);
});
