import { expect, test } from 'vitest';
import {
  PAUSED_BY_ALARM,
  PAUSED_FOR_DISK,
  ReadGate,
} from '../../../src/server/backpressure/read-gate.ts';

test('it opens when the last of several reasons is gone', () => {
  const calls: string[] = [];
  const socket = { pause: () => calls.push('pause'), resume: () => calls.push('resume') };
  const frames = { paused: false };
  const gate = new ReadGate(socket, frames);
  gate.pause(PAUSED_FOR_DISK);
  gate.pause(PAUSED_BY_ALARM);
  expect(frames.paused).toBe(true);
  gate.release(PAUSED_FOR_DISK);
  expect(gate.open()).toBe(false);
  expect(gate.isPausedBy(PAUSED_BY_ALARM)).toBe(true);
  expect(frames.paused).toBe(true);
  gate.release(PAUSED_BY_ALARM);
  expect(gate.open()).toBe(true);
  expect(frames.paused).toBe(false);
  expect(calls).toEqual(['pause', 'pause', 'resume']);
});
