// Owns the tests of what a node knows of the time that queues live by while others lead.
import { expect, test } from 'vitest';
import { LeadersTime } from '../../src/cluster/leaders-time.ts';
import { type NodeRow, nodeRowBytes, readNodeRow } from '../../src/cluster/node-row.ts';

class Clock {
  ms = 1000.5;
  /** Of no use here. */
  wallMs(): number {
    return this.ms * 7;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

const ROW: NodeRow = {
  ...{ node: 'n1', group: 'main', name: 'leveret@n1', role: 'leader', version: '1', epoch: 5 },
  ...{ reached: 9, applied: 9, last: 9, lagMs: 0, ignored: 0 },
  ...{ amqp: null, peers: null, snapshots: [], upMs: 0, timeMs: 50_000, usage: null },
};

test('it goes on from what the leader told last', () => {
  const clock = new Clock();
  const time = new LeadersTime(clock);
  expect(time.nowMs).toBeNull();
  time.told(ROW);
  clock.ms += 2000;
  expect(time.nowMs).toBe(52_000);
  time.told({ ...ROW, timeMs: 51_990 });
  clock.ms += 10;
  expect(time.nowMs).toBe(52_000);
});

test('what a leader of before tells counts no longer', () => {
  const time = new LeadersTime(new Clock());
  time.told({ ...ROW, epoch: 8, timeMs: 70_000 });
  time.told(ROW);
  expect(time.nowMs).toBe(70_000);
});

test('another node is believed until a leader tells it', () => {
  const time = new LeadersTime(new Clock());
  time.told({ ...ROW, timeMs: null });
  expect(time.nowMs).toBeNull();
  time.told({ ...ROW, role: 'follower', timeMs: 40_000 });
  time.told({ ...ROW, role: 'follower', timeMs: 1 });
  expect(time.nowMs).toBe(40_000);
  time.told(ROW);
  time.told({ ...ROW, role: 'joining', epoch: 9, timeMs: 2 });
  expect(time.nowMs).toBe(50_000);
});

test('a row says it, and one of a version that does not says nothing', () => {
  expect(readNodeRow(nodeRowBytes(ROW))).toEqual(ROW);
  const { timeMs: _, ...old } = ROW;
  expect(readNodeRow(Buffer.from(JSON.stringify(old)))).toEqual({ ...ROW, timeMs: null });
});
