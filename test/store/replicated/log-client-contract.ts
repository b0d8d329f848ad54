// Owns the behaviour that every log of several machines must show to its clients. Never knows which log it is looking at.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type LogClient,
  type LogEntry,
  type LogReader,
  RefusedError,
} from '../../../src/store/replicated/log-client.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A reader that keeps what it is given, and takes more once it may. */
export class KeepingReader implements LogReader {
  readonly entered: LogEntry[] = [];
  /** Where the log begins, once it was told; 0 before. */
  first = 0;
  /** How many calls it is in, and was in at most. */
  private inside = 0;
  insideMax = 0;
  private held: (() => void)[] = [];
  hold = false;

  async entries(entries: readonly LogEntry[]): Promise<void> {
    this.inside += 1;
    this.insideMax = Math.max(this.insideMax, this.inside);
    this.entered.push(...entries);
    if (this.hold) {
      await new Promise<void>((resolve) => {
        this.held.push(resolve);
      });
    }
    this.inside -= 1;
  }

  behind(first: number): void {
    this.first = first;
  }

  release(): void {
    this.hold = false;
    for (const go of this.held.splice(0)) go();
  }

  get texts(): string[] {
    return this.entered.map((each) => each.bytes.toString('latin1'));
  }

  get places(): number[] {
    return this.entered.map(({ seq }) => seq);
  }
}

/** Whole numbers from one to another. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Appends records `r<place>` one after the other, from a place to another. */
async function fill(log: LogClient, from: number, to: number): Promise<void> {
  for (const seq of range(from, to)) await log.append([bytes(`r${seq}`)], seq - 1);
}

/** The whole behaviour of the port. `make` gives a new log, as a function that opens one more client of it. */
export function logClientContract(
  name: string,
  make: () => Promise<() => Promise<LogClient>>,
): void {
  describe(`${name}, as a log of several machines`, () => {
    const opened: LogClient[] = [];
    let open: () => Promise<LogClient>;
    let log: LogClient;
    beforeEach(async () => {
      const another = await make();
      open = async () => {
        const client = await another();
        opened.push(client);
        return client;
      };
      log = await open();
    });
    afterEach(async () => {
      for (const client of opened.splice(0)) await client.close();
    });

    describe('appending', () => {
      it('begins with nothing, under a name that all clients see', async () => {
        const state = await log.state();
        expect(state).toMatchObject({ first: 1, last: 0 });
        expect(state.id).toMatch(/^[0-9a-f]{32}$/);
        expect(state.bytesMax).toBeGreaterThan(0);
        expect((await (await open()).state()).id).toBe(state.id);
        expect(await log.read(1)).toBeNull();
      });

      it('keeps records in order, and gives them back whole', async () => {
        expect(await log.append([bytes('one '), bytes(''), bytes('record')], 0)).toBe(1);
        expect(await log.append([bytes('two')], 1)).toBe(2);
        expect(await log.append([], 2)).toBe(3);
        const texts = [];
        for (const seq of [1, 2, 3]) texts.push((await log.read(seq))?.toString('latin1'));
        expect(texts).toEqual(['one record', 'two', '']);
        expect(await log.read(4)).toBeNull();
        expect(await log.state()).toMatchObject({ first: 1, last: 3 });
        expect((await log.state()).bytes).toBeGreaterThan(0);
      });

      it('takes a record of the greatest length', async () => {
        const record = Buffer.alloc(log.recordBytesMax);
        for (let at = 0; at < record.length; at += 1) record[at] = (at * 31) % 251;
        expect(await log.append([record.subarray(0, 10), record.subarray(10)], 0)).toBe(1);
        expect((await log.read(1))?.equals(record)).toBe(true);
        const reader = new KeepingReader();
        log.follow(1, reader);
        await expect.poll(() => reader.places).toEqual([1]);
        expect(reader.entered[0]?.bytes.equals(record)).toBe(true);
      });

      it('keeps what it was given, whatever becomes of the memory', async () => {
        const record = bytes('before');
        const appended = log.append([record], 0);
        await appended;
        record.fill('x');
        expect(await log.read(1)).toEqual(bytes('before'));
      });

      it.each([0, 2, 7])('refuses one that is said to follow %i after 1', async (previous) => {
        await fill(log, 1, 1);
        await expect(log.append([bytes('x')], previous)).rejects.toThrow(RefusedError);
        expect(await log.state()).toMatchObject({ first: 1, last: 1 });
        expect(await log.append([bytes('y')], 1)).toBe(2);
      });

      it('takes many that are under way at once, in order', async () => {
        const appended = range(1, 50).map((seq) => log.append([bytes(`r${seq}`)], seq - 1));
        expect(await Promise.all(appended)).toEqual(range(1, 50));
        expect(await log.read(37)).toEqual(bytes('r37'));
      });

      it('takes what fits behind what it has refused: order alone is not safe', async () => {
        const other = await open();
        await log.append([bytes('A1')], 0);
        await other.append([bytes('B2')], 1);
        const late = [log.append([bytes('A2')], 1), log.append([bytes('A3')], 2)];
        const [second, third] = await Promise.allSettled(late);
        expect(second).toMatchObject({ status: 'rejected', reason: { name: 'RefusedError' } });
        expect(third).toEqual({ status: 'fulfilled', value: 3 });
      });

      it('takes one of three that write the same place', async () => {
        const writers = [log, await open(), await open()];
        for (const seq of range(1, 30)) {
          const tries = writers.map((each, i) => each.append([bytes(`${i}`)], seq - 1));
          const results = await Promise.allSettled(tries);
          const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
          expect(won).toHaveLength(1);
          expect(await log.read(seq)).toEqual(bytes(`${won[0]}`));
        }
        expect((await log.state()).last).toBe(30);
      });
    });

    describe('following', () => {
      it('gives all records from the first on, and those to come', async () => {
        await fill(log, 1, 20);
        const reader = new KeepingReader();
        (await open()).follow(1, reader);
        await expect.poll(() => reader.entered.length).toBe(20);
        await fill(log, 21, 40);
        await expect.poll(() => reader.entered.length).toBe(40);
        expect(reader.places).toEqual(range(1, 40));
        expect(reader.texts).toEqual(range(1, 40).map((seq) => `r${seq}`));
      });

      it('begins in the middle, and behind the end', async () => {
        await fill(log, 1, 10);
        const middle = new KeepingReader();
        const end = new KeepingReader();
        log.follow(7, middle);
        log.follow(11, end);
        await expect.poll(() => middle.places).toEqual([7, 8, 9, 10]);
        await fill(log, 11, 12);
        await expect.poll(() => middle.places).toEqual(range(7, 12));
        await expect.poll(() => end.places).toEqual([11, 12]);
      });

      it('gives nothing until the reader has taken what it was given', async () => {
        await fill(log, 1, 1);
        const reader = new KeepingReader();
        reader.hold = true;
        log.follow(1, reader);
        await expect.poll(() => reader.places).toEqual([1]);
        await fill(log, 2, 30);
        const beside = new KeepingReader();
        log.follow(2, beside);
        await expect.poll(() => beside.entered.length).toBe(29);
        expect(reader.places).toEqual([1]);
        reader.release();
        await expect.poll(() => reader.places).toEqual(range(1, 30));
        expect(reader.insideMax).toBe(1);
      });

      it('says where the log begins that was trimmed further than it has read', async () => {
        await fill(log, 1, 10);
        await log.purge(6);
        const reader = new KeepingReader();
        log.follow(3, reader);
        await expect.poll(() => reader.first).toBe(6);
        await fill(log, 11, 12);
        const other = new KeepingReader();
        log.follow(6, other);
        await expect.poll(() => other.places).toEqual(range(6, 12));
        expect(reader.entered).toEqual([]);
      });

      it('goes on where what it has read is trimmed', async () => {
        await fill(log, 1, 5);
        const reader = new KeepingReader();
        log.follow(1, reader);
        await expect.poll(() => reader.entered.length).toBe(5);
        await log.purge(6);
        await fill(log, 6, 8);
        await expect.poll(() => reader.places).toEqual(range(1, 8));
        expect(reader.first).toBe(0);
      });

      it('gives nothing once it is stopped', async () => {
        await fill(log, 1, 3);
        const reader = new KeepingReader();
        const following = log.follow(1, reader);
        await expect.poll(() => reader.entered.length).toBe(3);
        await following.stop();
        await fill(log, 4, 6);
        const beside = new KeepingReader();
        log.follow(1, beside);
        await expect.poll(() => beside.entered.length).toBe(6);
        expect(reader.places).toEqual([1, 2, 3]);
      });
    });

    describe('stopping', () => {
      it('waits for the reader to take what it was given', async () => {
        await fill(log, 1, 3);
        const reader = new KeepingReader();
        reader.hold = true;
        const following = log.follow(1, reader);
        await expect.poll(() => reader.entered.length).toBeGreaterThan(0);
        let stopped = false;
        const stopping = following.stop().then(() => {
          stopped = true;
        });
        // As long as any other call takes.
        await log.state();
        await (await open()).state();
        expect(stopped).toBe(false);
        reader.release();
        await stopping;
      });
    });

    describe('trimming', () => {
      it('drops what lies below a place, and no more', async () => {
        await fill(log, 1, 10);
        await log.purge(0);
        await log.purge(1);
        expect(await log.state()).toMatchObject({ first: 1, last: 10 });
        await log.purge(4);
        expect(await log.state()).toMatchObject({ first: 4, last: 10 });
        expect(await log.read(3)).toBeNull();
        expect(await log.read(4)).toEqual(bytes('r4'));
        await log.purge(2);
        expect(await log.state()).toMatchObject({ first: 4, last: 10 });
      });

      it('goes on with its numbers where all was dropped', async () => {
        await fill(log, 1, 3);
        await log.purge(4);
        expect(await log.state()).toMatchObject({ first: 4, last: 3 });
        expect(await log.append([bytes('r4')], 3)).toBe(4);
        expect(await log.state()).toMatchObject({ first: 4, last: 4 });
      });
    });

    describe('the lease', () => {
      it('has no value at first, and then the last one that was set', async () => {
        expect(await log.lease.look()).toBeNull();
        const first = await log.lease.set(bytes('n1'), 0);
        expect(first).toBeGreaterThan(0);
        const { lease } = await open();
        expect(await lease.look()).toEqual({ revision: first, value: bytes('n1') });
        const second = await lease.set(bytes(''), first);
        expect(second).toBeGreaterThan(first);
        expect(await log.lease.look()).toEqual({ revision: second, value: bytes('') });
      });

      it('refuses a change by one that has not seen the last', async () => {
        const first = await log.lease.set(bytes('n1'), 0);
        await expect(log.lease.set(bytes('n2'), 0)).rejects.toThrow(RefusedError);
        await expect(log.lease.set(bytes('n2'), first + 1)).rejects.toThrow(RefusedError);
        expect(await log.lease.look()).toEqual({ revision: first, value: bytes('n1') });
      });

      it('is given to one of three that want it', async () => {
        const leases = [log.lease, (await open()).lease, (await open()).lease];
        for (let round = 0; round < 20; round += 1) {
          const revision = (await log.lease.look())?.revision ?? 0;
          const tries = leases.map((lease, i) => lease.set(bytes(`n${i}`), revision));
          const results = await Promise.allSettled(tries);
          const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
          expect(won).toHaveLength(1);
          expect((await log.lease.look())?.value).toEqual(bytes(`n${won[0]}`));
        }
      });

      it('is no part of the log', async () => {
        await log.lease.set(bytes('n1'), 0);
        expect(await log.state()).toMatchObject({ first: 1, last: 0 });
      });
    });
  });
}
