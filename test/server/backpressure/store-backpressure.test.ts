import { expect, test } from 'vitest';
import { PAUSED_BY_STORE, ReadGate } from '../../../src/server/backpressure/read-gate.ts';
import {
  type BrakedConnection,
  StoreBackpressure,
} from '../../../src/server/backpressure/store-backpressure.ts';
import { CLOSED, RUNNING } from '../../../src/server/states.ts';

/** A connection that only has a gate. */
function connection(state = RUNNING): BrakedConnection {
  const socket = { pause: () => {}, resume: () => {} };
  const gate = new ReadGate(socket, { paused: false });
  return { gate, state, readOn: (reason) => gate.release(reason) };
}

const isHeld = ({ gate }: BrakedConnection): boolean => gate.isPausedBy(PAUSED_BY_STORE);

test('who publishes while too much waits for the disk is held until half of it is written', () => {
  const traffic = { log: { unsealedBytes: 0 }, sealedBytes: 0, durableBytes: 0 };
  const brake = new StoreBackpressure(traffic, 1000);
  const publisher = connection();
  const consumer = connection();
  traffic.log.unsealedBytes = 600;
  brake.chunkRead(publisher);
  expect(isHeld(publisher)).toBe(false);
  traffic.sealedBytes = 600;
  traffic.log.unsealedBytes = 0;
  brake.chunkRead(consumer);
  traffic.log.unsealedBytes = 400;
  brake.chunkRead(publisher);
  brake.chunkRead(consumer);
  expect(isHeld(publisher)).toBe(true);
  expect(isHeld(consumer), 'who published nothing that is stored reads on').toBe(false);

  traffic.durableBytes = 400;
  brake.durable();
  expect(isHeld(publisher)).toBe(true);
  traffic.durableBytes = 600;
  brake.durable();
  expect(isHeld(publisher)).toBe(false);
});

test('a connection that is closing is not held', () => {
  const traffic = { log: { unsealedBytes: 2000 }, sealedBytes: 0, durableBytes: 0 };
  const closing = connection(CLOSED);
  new StoreBackpressure(traffic, 1000).chunkRead(closing);
  expect(isHeld(closing)).toBe(false);
});
