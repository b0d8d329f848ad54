import { expect, test } from 'vitest';
import { Alarms } from '../../../src/broker/core/alarms.ts';

test.each([
  [true, false, 'low on memory'],
  [false, true, 'low on disk'],
  [true, true, 'low on disk & memory'],
])("with memory %s and disk %s the reason is RabbitMQ's: %s", (memory, disk, reason) => {
  const alarms = new Alarms();
  expect(alarms.on).toBe(false);
  alarms.memory.measured = memory;
  alarms.disk.measured = disk;
  expect(alarms.on).toBe(true);
  expect(alarms.reason).toBe(reason);
});
