// When a batch of a leader waits for room in the log.

import { afterEach, expect, test, vi } from 'vitest';
import { LogRoom } from '../../src/cluster/log-room.ts';
import { Timing } from '../../src/cluster/timing.ts';
import type { LogState } from '../../src/store/replicated/log-client.ts';
import { MovableClock } from '../../src/util/clock.ts';
import { LOG_ID, MemoryLogClient, SharedLog } from '../store/replicated/memory-log-client.ts';

const MAX = 1000;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** The room of a log in which others have left so many bytes. */
function roomWith(bytes: number) {
  const state = (inUse: number): LogState => {
    return { id: LOG_ID, first: 1, last: 10, bytes: inUse, bytesMax: MAX };
  };
  const client = new MemoryLogClient(new SharedLog());
  const asked = vi.spyOn(client, 'state').mockResolvedValue(state(bytes));
  const clock = new MovableClock();
  const timing = new Timing(clock, () => {});
  const room = new LogRoom(client, timing);
  ends.push(() => {
    room.stop();
    timing.stop();
  });
  const trimmed = async (inUse: number, isSo: () => boolean): Promise<void> => {
    asked.mockResolvedValue(state(inUse));
    await vi.waitFor(
      () => {
        clock.skip(500);
        expect(isSo()).toBe(true);
      },
      { timeout: 60_000, interval: 25 },
    );
  };
  return { room, asked, trimmed };
}

test('a new leader writes nothing before it knows how full the log is', async () => {
  const { room, asked, trimmed } = roomWith(950);
  let taken = false;
  room.take(10, () => {
    taken = true;
  });
  expect(taken).toBe(false);
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  await Promise.resolve();
  expect(taken).toBe(false);
  await trimmed(100, () => taken);
});

test('a batch that the log has no room for waits, though smaller ones would not', async () => {
  const { room, trimmed } = roomWith(800);
  const taken: number[] = [];
  const take = (bytes: number): void => room.take(bytes, () => taken.push(bytes));
  take(50);
  await trimmed(800, () => taken.length === 1);
  take(200);
  expect(taken).toEqual([50]);
  await trimmed(300, () => taken.length === 2);
});
