// Owns the tests of what the end of a turn does, and in which order.

import { expect, test } from 'vitest';
import type { BrokerCore } from '../../../src/broker/core/core.ts';
import type { FlowControl } from '../../../src/server/backpressure/flow-control.ts';
import type { StoreBackpressure } from '../../../src/server/backpressure/store-backpressure.ts';
import { Turn } from '../../../src/server/turn/turn.ts';
import type { Outbox } from '../../../src/server/wire/outbox.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { TICK_MS, TimerWheel } from '../../../src/util/timers.ts';

/** A turn around parts that note when they are called. */
class Noted {
  readonly notes: string[] = [];
  readonly fatal: Error[] = [];
  delivers: () => boolean = () => false;
  readonly turn: Turn;

  constructor() {
    const { notes } = this;
    const core = {
      line: { refused: () => {} },
      flowQuotas: { exceeded: null },
      store: { busy: false },
      log: { unsealedBytes: 0 },
      durableBatch: 0,
      nextDeadlineMs: Number.POSITIVE_INFINITY,
      sealable: true,
      sealUrgent: true,
      sealDeferrable: false,
      deliver: () => {
        notes.push('deliver');
        return this.delivers();
      },
      prepareSeal: () => true,
      seal: () => notes.push('seal'),
      maintain: () => false,
      awaitBatch: () => 1,
    };
    this.turn = new Turn({
      core: core as unknown as BrokerCore,
      clock: systemClock,
      wheel: new TimerWheel(systemClock, TICK_MS),
      flow: { turnEnded: () => notes.push('flow') } as unknown as FlowControl,
      storeBackpressure: { chunkRead: () => {} } as unknown as StoreBackpressure,
      resources: { bytesRead: (bytes) => notes.push(`read ${bytes}`) },
      mayConfirm: () => true,
      onFatal: (error) => this.fatal.push(error),
    });
  }
}

const outbox = (notes: string[]): Outbox => ({ flush: () => notes.push('write') }) as never;

test('a turn ends with deliveries, then the batch, then confirms, then writes', () => {
  const { turn, notes } = new Noted();
  turn.outboxFilled(outbox(notes));
  turn.listConfirms({
    confirmsListed: false,
    flushConfirms: () => {
      notes.push('confirm');
      return false;
    },
  });
  turn.end();
  expect(notes).toEqual(['deliver', 'seal', 'confirm', 'write', 'read 0', 'flow']);
});

test('a channel whose confirms wait for the disk is asked again at the next end, others are not', () => {
  const { turn, notes } = new Noted();
  const waits = { confirmsListed: false, flushConfirms: () => notes.push('waits') > 0 };
  const done = { confirmsListed: false, flushConfirms: () => notes.push('done') < 0 };
  turn.listConfirms(waits);
  turn.listConfirms(done);
  turn.end();
  expect([waits.confirmsListed, done.confirmsListed]).toEqual([true, false]);
  turn.end();
  expect(notes.filter((note) => note === 'waits')).toHaveLength(2);
  expect(notes.filter((note) => note === 'done')).toHaveLength(1);
});

test('a turn with much input ends before all of it is read', () => {
  const { turn, notes } = new Noted();
  const connection = {} as never;
  turn.chunkRead(connection, 200 * 1024);
  expect(notes).toEqual([]);
  turn.chunkRead(connection, 64 * 1024);
  expect(notes).toContain(`read ${264 * 1024}`);
});

test('what is thrown at the end of a turn is fatal', () => {
  const noted = new Noted();
  noted.delivers = () => {
    throw new Error('a fault');
  };
  noted.turn.end();
  expect(noted.fatal.map(({ message }) => message)).toEqual(['a fault']);
});
