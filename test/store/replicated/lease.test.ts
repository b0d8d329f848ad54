import { expect, test } from 'vitest';
import { type HeldLease, LeaseWatch } from '../../../src/store/replicated/lease.ts';
import type { Call, CallKind } from './memory-log-client.ts';
import { HeldCalls, MemoryLogClient, SharedLog } from './memory-log-client.ts';

const LEASE_MS = 5000;
const OURS = Buffer.from('n1 of this time');
const OTHERS = Buffer.from('n2');

/** A clock that stands still until it is moved. */
class StillClock {
  nowMs = 1_000_000;
  /** By how much the time of day is ahead. */
  setMs = 0;
  wallMs(): number {
    return this.nowMs + this.setMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A leader that has taken the lease just now. */
async function holder(): Promise<{
  log: SharedLog;
  clock: StillClock;
  held: HeldCalls;
  lease: HeldLease;
  /** Waits for this call, then lets `how` have it. */
  with: (kind: CallKind, how: (call: Call) => void) => Promise<void>;
}> {
  const log = new SharedLog();
  const clock = new StillClock();
  const held = new HeldCalls();
  const client = new MemoryLogClient(log);
  const watch = new LeaseWatch(client.lease, clock, LEASE_MS);
  expect(await watch.look()).toBe(true);
  const lease = (await watch.take(OURS)) as HeldLease;
  client.courier = held.courier;
  const onCall = async (kind: CallKind, how: (call: Call) => void): Promise<void> => {
    how(held.next(kind));
    await turn();
  };
  return { log, clock, held, lease, with: onCall };
}

const pass = (call: Call): void => call.pass();
const lose = (call: Call): void => call.lose();
const loseAnswer = (call: Call): void => {
  call.arrive();
  call.lose();
};

test('a leader is sure for as long as the lease lasts from when it sent the last change that was taken', async () => {
  const { clock, lease, with: on } = await holder();
  clock.nowMs += LEASE_MS - 1;
  expect(lease.sure).toBe(true);
  const renewed = lease.renew();
  clock.nowMs += 1;
  expect(lease.sure).toBe(false);
  await on('set', pass);
  expect(await renewed).toBe(true);
  expect(lease.sure).toBe(true);
  expect(lease.ageMs).toBe(1);
});

test('a leader whose machine was suspended is not sure, though its monotonic clock stood still', async () => {
  const { clock, lease, with: on } = await holder();
  clock.setMs += LEASE_MS;
  expect(lease.sure).toBe(false);
  const renewed = lease.renew();
  await on('set', pass);
  expect(await renewed).toBe(true);
  expect(lease.sure).toBe(true);
});

test('a time of day that is set back makes no lease last longer', async () => {
  const { clock, lease } = await holder();
  clock.setMs -= 100 * LEASE_MS;
  clock.nowMs += LEASE_MS - 1;
  expect(lease.sure).toBe(true);
  clock.nowMs += 1;
  expect(lease.sure).toBe(false);
});

test('a change that was taken without an answer counts from when the first without one was sent', async () => {
  const { clock, lease, with: on } = await holder();
  clock.nowMs += 1000;
  const first = lease.renew();
  await on('set', loseAnswer);
  await on('look', lose);
  expect(await first).toBe(true);
  expect(lease.ageMs).toBe(1000);
  clock.nowMs += 1000;
  const second = lease.renew();
  await on('set', pass); // refused: the first one was taken
  await on('look', pass);
  expect(await second).toBe(true);
  expect(lease.ageMs).toBe(1000);
});

test('a change that was not taken renews nothing, though an older look has come between', async () => {
  const { log, clock, lease, with: on } = await holder();
  for (let i = 0; i < 2; i += 1) {
    const renewed = lease.renew();
    await on('set', pass);
    await renewed;
  }
  const { lease: before } = log;
  clock.nowMs += 1000;
  const lost = lease.renew();
  await on('set', lose);
  // The machine that answers has an older state, of this node's lease and of the one before it.
  log.lease = { revision: 1, value: OURS };
  await on('look', pass);
  expect(await lost).toBe(true);
  log.lease = before;
  clock.nowMs += 1000;
  const again = lease.renew();
  await on('set', lose);
  log.lease = { revision: 1, value: OTHERS };
  await on('look', pass);
  expect(await again).toBe(true);
  log.lease = before;
  expect(lease.ageMs).toBe(2000);
  const renewed = lease.renew();
  await on('set', pass);
  expect(await renewed).toBe(true);
  expect(lease.ageMs).toBe(0);
});

test('a lease that another node has taken is lost, and nothing is sure any more', async () => {
  const { log, lease, with: on } = await holder();
  log.set(OTHERS, 1);
  const renewed = lease.renew();
  await on('set', pass);
  await on('look', pass);
  expect(await renewed).toBe(false);
  expect(lease.lost).toBe(true);
  expect(lease.sure).toBe(false);
  lease.whenSure(() => expect.unreachable());
  await turn();
});

test('what waits for the leader to be sure is held back until it is, and never called where it is not', async () => {
  const { log, clock, lease, with: on } = await holder();
  const told: string[] = [];
  lease.whenSure(() => told.push('at once'));
  expect(told).toEqual(['at once']);
  clock.nowMs += LEASE_MS;
  lease.whenSure(() => told.push('first'));
  lease.whenSure(() => told.push('second'));
  const renewed = lease.renew();
  clock.nowMs += LEASE_MS;
  await on('set', pass); // taken, and too long ago already
  await renewed;
  expect(told).toEqual(['at once']);
  const again = lease.renew();
  await on('set', pass);
  await again;
  expect(told).toEqual(['at once', 'first', 'second']);
  clock.nowMs += LEASE_MS;
  lease.whenSure(() => told.push('never'));
  log.set(OTHERS, 3);
  const lost = lease.renew();
  await on('set', pass);
  await on('look', pass);
  expect(await lost).toBe(false);
  expect(told.length).toBe(3);
});

test('a leader that gives it back lets another take it at once, answered or not', async () => {
  for (const how of [pass, loseAnswer]) {
    const { log, clock, lease, with: on } = await holder();
    const released = lease.release();
    await on('set', how);
    await released;
    expect(lease.sure).toBe(false);
    const watch = new LeaseWatch(new MemoryLogClient(log).lease, clock, LEASE_MS);
    expect(await watch.look()).toBe(true);
    expect(watch.seen).toEqual({ revision: 2, value: null });
    await lease.release(); // and only once
  }
});

test('a renewal that is answered after it was given back says that it is lost', async () => {
  const { held, lease } = await holder();
  const renewed = lease.renew();
  const released = lease.release();
  held.next('set').pass();
  held.next('set').pass(); // refused: the other change came first
  await released;
  expect(await renewed).toBe(false);
});

test('another node takes it once its holder has given no sign for as long as it lasts', async () => {
  const { log, clock } = await holder();
  const watch = new LeaseWatch(new MemoryLogClient(log).lease, clock, LEASE_MS);
  expect(await watch.look()).toBe(false);
  expect(watch.seen?.value).toEqual(OURS);
  clock.nowMs += LEASE_MS - 1;
  expect(await watch.look()).toBe(false);
  log.set(OURS, 1);
  clock.nowMs += 1;
  expect(await watch.look()).toBe(false);
  clock.nowMs += LEASE_MS;
  expect(await watch.look()).toBe(true);
  expect((await watch.take(OTHERS))?.sure).toBe(true);
  expect(log.lease).toEqual({ revision: 3, value: OTHERS });
});

test('a look that fails begins the wait anew', async () => {
  const { log, clock } = await holder();
  const client = new MemoryLogClient(log);
  const watch = new LeaseWatch(client.lease, clock, LEASE_MS);
  expect(await watch.look()).toBe(false);
  clock.nowMs += LEASE_MS;
  client.courier = lose;
  expect(await watch.look()).toBe(false);
  expect(watch.seen).toBeNull();
  expect(await watch.take(OTHERS)).toBeNull();
  client.courier = pass;
  expect(await watch.look()).toBe(false);
  clock.nowMs += LEASE_MS - 1;
  expect(await watch.look()).toBe(false);
  clock.nowMs += 1;
  expect(await watch.look()).toBe(true);
});

test('of two that see it free one takes it, and one that is not answered has not', async () => {
  const log = new SharedLog();
  const client = new MemoryLogClient(log);
  const clock = new StillClock();
  const watches = [OURS, OTHERS].map(() => new LeaseWatch(client.lease, clock, LEASE_MS));
  for (const watch of watches) expect(await watch.look()).toBe(true);
  const taken = await Promise.all(watches.map((watch, i) => watch.take(i === 0 ? OURS : OTHERS)));
  expect(taken.map((lease) => lease !== null)).toEqual([true, false]);
  const [watch] = watches as [LeaseWatch];
  await watch.look();
  client.courier = loseAnswer;
  expect(await watch.take(OTHERS)).toBeNull();
  expect(watch.seen).toBeNull();
});
