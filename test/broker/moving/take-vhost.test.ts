// Owns the tests of a vhost that is taken out of another broker's store: all of it is there or nothing, whatever comes
// between, and nothing else changes.

import { expect, test } from 'vitest';
import { checkStore } from '../../../src/broker/check/check-store.ts';
import { takeVhost } from '../../../src/broker/moving/take-vhost.ts';
import { withChecksum } from '../../../src/store/checksum.ts';
import {
  TABLE_ACCESS,
  TABLE_ARRIVALS,
  TABLE_DEFINITIONS,
  TABLE_DELAYS,
  TABLE_KEYS,
  TABLE_MARKS,
  TABLE_META,
  TABLE_PAGES,
  TABLE_POLICIES,
  TABLE_PURGES,
  TABLE_SEGMENTS,
  TABLE_SET_ASIDE,
  TABLE_STREAMS,
} from '../../../src/store/tables.ts';
import { ControlledStore, type Disk } from '../controlled-store.ts';
import { SmallBroker } from '../small-broker.ts';
import {
  after,
  driven,
  filled,
  moved,
  NAME,
  other,
  ownOf,
  rowsOf,
  snapshotOf,
  toldOf,
  within,
  wrongIn,
} from './full-vhost.ts';

/** So few bytes of rows that there are many batches. */
const FEW = { gatheredBytesMax: 6_000 };

const OWN = Array.from({ length: 500 }, (_, n) => `own ${n}`);

function damageOn(disk: Disk): unknown {
  return checkStore(new ControlledStore(disk.copy())).damage;
}

/** The vhost as it was when a snapshot was made, told by a broker on a copy. */
function toldOfSnapshot(disk: Disk, nowMs: number, jumpedMs = 0): unknown {
  return toldOf(after({ disk: disk.copy(), nowMs, jumpedMs } as SmallBroker));
}

test('all of a vhost is there, in its places, and the vhosts that were there stay', async () => {
  const a = filled();
  const disk = a.disk.copy();
  expect(disk.keys(TABLE_PURGES)).toHaveLength(1);
  const expected = toldOfSnapshot(disk, a.nowMs);
  const b = other(a.nowMs);
  await moved(new ControlledStore(disk), b, () => {}, FEW);
  expect(wrongIn(b)).toBeNull();
  expect(damageOn(b.disk)).toEqual([]);
  expect(b.disk.keys(TABLE_ARRIVALS)).toEqual([]);
  const again = after({ disk: b.disk.copy(), nowMs: b.nowMs, jumpedMs: 0 } as SmallBroker);
  expect([wrongIn(again), again.broker.core.setAsideRows.count]).toEqual([null, 0]);
  expect(toldOf(b)).toEqual(expected);
  expect(toldOf(again)).toEqual(expected);
  expect(ownOf(b)).toEqual(OWN);
});

test('whenever the broker ends, the next start finds all of it, or nothing is left', async () => {
  const a = filled();
  const disk = a.disk.copy();
  const expected = toldOfSnapshot(disk, a.nowMs);
  const untouched = within(other(a.nowMs));
  const before = rowsOf(untouched);
  const base = untouched.disk;
  const found = { all: 0, nothing: 0, partly: 0 };
  for (let turns = 0; found.all < 2; turns += 1) {
    const b = after({ disk: base.copy(), nowMs: a.nowMs, jumpedMs: 0 } as SmallBroker);
    let left = turns;
    const ends = (): void => {
      left -= 1;
      if (left < 0) throw new Error('power fails');
    };
    const end = moved(new ControlledStore(disk), b, ends, FEW);
    await end.catch((error: Error) => expect(error.message).toBe('power fails'));
    const next = after(b);
    if (next.disk.keys(TABLE_PAGES).length > (before[TABLE_PAGES] as number)) found.partly += 1;
    const whole = next.vhost.queues.size > 0;
    expect(damageOn(next.disk)).toEqual([]);
    if (!whole) {
      expect(rowsOf(next)).toEqual(before);
      expect(wrongIn(next)).toBeNull();
      if (turns % 4 === 0) await moved(new ControlledStore(disk), next, () => {}, FEW);
    }
    found[whole ? 'all' : 'nothing'] += 1;
    if (whole || turns % 4 === 0) {
      expect(wrongIn(next)).toBeNull();
      expect(toldOf(next)).toEqual(expected);
    }
    expect(ownOf(next)).toEqual(OWN);
  }
  expect(found.nothing).toBeGreaterThan(8);
  expect(found.partly).toBeGreaterThan(8);
});

/** Changes the rows of a table whose keys fit: the last byte of each is another. */
function spoil(disk: Disk, table: number, fits: (key: Buffer) => boolean): Disk {
  const key = disk.keys(table).find(fits);
  if (key === undefined) throw new Error(`table ${table} has no such row`);
  const row = Buffer.from(disk.table(table).get(key) as Buffer);
  row[row.length - 1] = (row.at(-1) as number) ^ 1;
  disk.table(table).put(key, row);
  return disk;
}

/** The id of a queue of the vhost that moves. */
function idOf(small: SmallBroker, name: string): number {
  return small.vhost.queues.get(name)?.id ?? 0;
}

const ofQueue = (id: number) => (key: Buffer) => key.readUInt32BE() === id;

test('a row of the vhost that cannot be read is named, and nothing is left; those of others do no harm', async () => {
  const a = filled();
  const disk = a.disk.copy();
  const ids = (name: string) => ofQueue(idOf(a, name));
  const letter = (first: string) => (key: Buffer) =>
    key.toString('latin1', 0, 1) === first && key.includes(NAME);
  const positionOf = (name: string): number =>
    Math.floor(a.queue(name).messages.lanes[0]!.entries.positionOf(5) / 65_536);
  const spoilt: [number, (key: Buffer) => boolean][] = [
    [TABLE_PAGES, ids('plain')],
    [TABLE_PAGES, ids('s')],
    [TABLE_MARKS, ids('plain')],
    [TABLE_DELAYS, ids('later')],
    [TABLE_KEYS, ids('acked')],
    [TABLE_KEYS, ofQueue(a.vhost.exchange('once').keysId)],
    [TABLE_STREAMS, ids('s')],
    [TABLE_PURGES, ids('purged')],
    [TABLE_SET_ASIDE, () => true],
    [TABLE_DEFINITIONS, letter('q')],
    [TABLE_DEFINITIONS, letter('x')],
    [TABLE_DEFINITIONS, letter('b')],
    [TABLE_POLICIES, letter('p')],
    [TABLE_POLICIES, letter('t')],
    [TABLE_SEGMENTS, (key) => key.readUIntBE(0, 6) === positionOf('ttl')],
  ];
  const b = within(other(a.nowMs));
  const before = rowsOf(b);
  for (const [table, fits] of spoilt) {
    const from = new ControlledStore(spoil(disk.copy(), table, fits));
    await expect(moved(from, b, () => {}, FEW)).rejects.toMatchObject({
      name: 'Refusal',
      message: expect.stringMatching(
        new RegExp(`vhost '${NAME}' cannot be moved: .* of table ${table} is damaged`),
      ),
    });
    expect([table, rowsOf(b)]).toEqual([table, before]);
    expect(wrongIn(b)).toBeNull();
  }
  const noise = ofQueue(a.broker.vhost('/').queues.get('noise')?.id ?? 0);
  const expected = toldOfSnapshot(disk, a.nowMs);
  await moved(new ControlledStore(spoil(disk.copy(), TABLE_PAGES, noise)), b, () => {}, FEW);
  expect(toldOf(b)).toEqual(expected);
});

test('a message whose segment is not there is named by the row that has it', async () => {
  const a = filled();
  const id = Math.floor(a.queue('ttl').messages.lanes[0]!.entries.positionOf(5) / 65_536);
  const disk = a.disk.copy();
  for (const key of disk.keys(TABLE_SEGMENTS)) {
    if (key.readUIntBE(0, 6) === id) disk.table(TABLE_SEGMENTS).remove(key);
  }
  const b = within(other(a.nowMs));
  const before = rowsOf(b);
  await expect(moved(new ControlledStore(disk), b)).rejects.toThrow('a message of it is not there');
  expect(rowsOf(b)).toEqual(before);
});

test('a vhost that is not empty, or on its way already, is refused, and so is a store of a newer format', async () => {
  const a = filled();
  const b = within(other(a.nowMs));
  const store = new ControlledStore(a.disk.copy());
  const first = takeVhost(b.broker, b.vhost, store);
  await expect(takeVhost(b.broker, b.vhost, store)).rejects.toThrow('is on its way already');
  await driven(b, first);
  await expect(moved(store, b)).rejects.toThrow(`vhost '${NAME}' is not empty`);
  const newer = a.disk.copy();
  const format = Buffer.alloc(5, 99);
  newer.table(TABLE_META).put(Buffer.from('format'), withChecksum(format));
  const c = within(other(a.nowMs));
  await expect(moved(new ControlledStore(newer), c)).rejects.toThrow('by a newer Leveret');
  c.declare('q');
  await expect(moved(store, c)).rejects.toMatchObject({ name: 'Refusal', kind: 'in-use' });
});

test('a vhost that has nothing arrives, and one that is deleted meanwhile does not', async () => {
  const a = new SmallBroker();
  a.broker.putVhost(NAME);
  a.commit();
  const b = within(other(a.nowMs));
  await moved(snapshotOf(a), b);
  expect([...b.vhost.queues.keys(), ...b.disk.keys(TABLE_ARRIVALS)]).toEqual([]);
  const full = filled();
  const before = rowsOf(b);
  let turns = 0;
  const deleted = moved(
    snapshotOf(full),
    b,
    () => {
      turns += 1;
      if (turns === 3) b.broker.deleteVhost(NAME);
    },
    FEW,
  );
  await expect(deleted).rejects.toThrow(`vhost '${NAME}' was deleted before it arrived`);
  before[TABLE_ACCESS] = (before[TABLE_ACCESS] as number) - 1;
  expect(rowsOf(b)).toEqual(before);
  expect(wrongIn(b)).toBeNull();
});

test('a broker that stops amid it has nothing of it after its next start', async () => {
  const a = filled();
  const b = within(other(a.nowMs));
  const before = rowsOf(b);
  let turns = 0;
  const stopped = moved(
    snapshotOf(a),
    b,
    () => {
      turns += 1;
      if (turns === 3) b.broker.sealExactMarks();
    },
    FEW,
  );
  await expect(stopped).rejects.toThrow('the broker stops amid it: begin again');
  b.commit();
  expect(b.disk.keys(TABLE_ARRIVALS)).toHaveLength(1);
  const next = after(b);
  expect(rowsOf(next)).toEqual(before);
  expect([wrongIn(next), next.vhost.queues.size]).toEqual([null, 0]);
});

test('a note that cannot be read is set aside, and what it was about does not come back', async () => {
  const a = filled();
  const b = within(other(a.nowMs));
  let turns = 0;
  const ends = (): void => {
    turns += 1;
    if (turns === 5) throw new Error('power fails');
  };
  await expect(moved(snapshotOf(a), b, ends, FEW)).rejects.toThrow('power fails');
  const next = after({
    ...b,
    disk: spoil(b.disk.copy(), TABLE_ARRIVALS, () => true),
  } as SmallBroker);
  const aside = [...next.broker.core.setAsideRows.list()];
  expect(aside).toMatchObject([{ kind: 'note of an arrival', holdsMessages: false }]);
  expect(damageOn(next.disk)).toContainEqual(
    expect.objectContaining({ kind: 'note of an arrival', table: TABLE_ARRIVALS }),
  );
  await moved(snapshotOf(a), next, () => {}, FEW);
  expect(wrongIn(next)).toBeNull();
  expect(toldOf(next)).toEqual(toldOfSnapshot(a.disk.copy(), a.nowMs));
});
