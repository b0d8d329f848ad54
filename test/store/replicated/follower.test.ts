import { expect, test } from 'vitest';
import { StoreError, TooNewError } from '../../../src/store/errors.ts';
import { LOG_START, type Place } from '../../../src/store/replicated/chain.ts';
import { Follower } from '../../../src/store/replicated/follower.ts';
import { readPlace } from '../../../src/store/replicated/place.ts';
import { BATCH, BEAT, beatBody, DOWN, PART } from '../../../src/store/replicated/record.ts';
import { TABLE_META } from '../../../src/store/tables.ts';
import { ControlledStore, Disk } from '../../broker/controlled-store.ts';
import { LOG_ID, MemoryLogClient, SharedLog } from './memory-log-client.ts';
import { batchText, leadBehind, placeOfLead, record, TABLE } from './written.ts';

const FORMAT = 1;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Tables whose disk can fail. */
class Tables extends ControlledStore {
  fail: (error: Error) => void = () => {};
  override onFailure(listener?: (error: Error) => void): void {
    if (listener !== undefined) this.fail = listener;
  }
}

/** A node that follows a log which has a LEAD at 1. */
function node(disk = new Disk(), log = new SharedLog()) {
  if (log.last === 0) log.append(leadBehind(LOG_START), 0);
  const tables = new Tables(disk);
  const failures: Error[] = [];
  const behind: number[] = [];
  const place = readPlace(tables) ?? { ...LOG_START, logId: LOG_ID };
  const follower = new Follower(tables, place, FORMAT, {
    failed: (error) => failures.push(error),
    behind: (first) => behind.push(first),
  });
  const client = new MemoryLogClient(log);
  client.flows = false;
  const following = client.follow(place.seq + 1, follower);
  const write = (kind: number, number: number, body = '', epoch = 1): number =>
    log.append(record(kind, epoch, number, body), log.last);
  return { disk, log, tables, failures, behind, follower, following, write };
}

const valueIn = (disk: Disk, key: string): string | undefined =>
  disk.table(TABLE).get(Buffer.from(key))?.toString();

const formatIn = (disk: Disk): number | undefined =>
  disk.table(TABLE_META).get(Buffer.from('format'))?.readUInt32BE();

const placeIn = (disk: Disk): Place | null => readPlace(new ControlledStore(disk));

test('what counts comes into the tables, those of one delivery in one batch, with the place', async () => {
  const { disk, tables, follower, following, write } = node();
  write(BATCH, 1, batchText('a', '1'));
  write(BATCH, 2, batchText('b', '2'));
  write(BATCH, 7, batchText('a', 'of no count'));
  expect(following.deliver()).toBe(4);
  await turn();
  expect(tables.batch).toBe(2);
  expect(follower.place.seq).toBe(4);
  expect(follower.applied.seq).toBe(0);
  tables.sync();
  expect(follower.applied).toEqual(follower.place);
  expect(valueIn(disk, 'a')).toBe('1');
  expect(valueIn(disk, 'b')).toBe('2');
  expect(placeIn(disk)).toEqual({ ...follower.place, logId: LOG_ID });
  expect(follower.ignored).toBe(1);
  expect(follower.lead?.node).toBe('n1');
});

test('the place is one that cuts no batch: what a crash leaves is read on from there', async () => {
  const first = node();
  const body = batchText('b', 'in pieces');
  first.write(BATCH, 1, batchText('a', '1'));
  first.write(PART, 2, body.slice(0, 9));
  first.following.deliver();
  await turn();
  first.tables.sync();
  expect(first.follower.place.seq).toBe(3);
  expect(first.follower.isOpen).toBe(true);
  expect(placeIn(first.disk)?.seq).toBe(2);
  first.write(PART, 3, body.slice(9, 11));
  first.write(BATCH, 4, body.slice(11));
  const again = node(first.disk.copy(), first.log);
  again.following.deliver();
  await turn();
  again.tables.sync();
  expect(again.failures).toEqual([]);
  expect(valueIn(again.disk, 'b')).toBe('in pieces');
  expect(placeIn(again.disk)?.seq).toBe(5);
});

test('records without a batch are noted in the tables now and then', async () => {
  const { disk, log, tables, follower, following } = node();
  for (let number = 1; number <= 300; number += 1) {
    const body = beatBody(digestAt(log, number)).toString('latin1');
    log.append(record(BEAT, 1, number, body), log.last);
    following.deliver();
    await turn();
  }
  tables.sync();
  expect(follower.place.number).toBe(300);
  expect(placeIn(disk)?.seq).toBe(257);
  const settled = follower.settled();
  tables.sync();
  await settled;
  expect(placeIn(disk)?.seq).toBe(301);
});

/** The digest before the record of a number, of a log that holds nothing else. */
function digestAt(log: SharedLog, number: number): number {
  const { follower, following } = node(new Disk(), log);
  following.deliver(1000);
  if (follower.place.number !== number - 1) throw new Error('the log holds something else');
  following.end();
  return follower.place.digest;
}

test('it reads no more while much is on its way into the tables, and goes on behind it', async () => {
  const { tables, follower, following, write } = node();
  const long = batchText('a', 'x'.repeat(11 * 2 ** 20));
  for (let number = 1; number <= 4; number += 1) write(BATCH, number, long);
  for (let i = 0; i < 4; i += 1) {
    following.deliver(1);
    await turn();
  }
  expect(following.busy).toBe(true);
  // One that waits for all of it does not take the place of the one that waits for less.
  let isSettled = false;
  const settled = follower.settled().then(() => {
    isSettled = true;
  });
  tables.sync(1);
  await turn();
  expect(following.busy).toBe(false);
  expect(isSettled).toBe(false);
  tables.sync();
  await settled;
});

test('a leader that writes a format of a later Leveret ends it, and what came before is kept with its place', async () => {
  const { disk, log, tables, failures, follower, following, write } = node();
  write(BATCH, 1, batchText('a', '1'));
  const before = { ...placeOfLead(LOG_START), seq: 2 };
  log.append(leadBehind({ ...before, digest: digestAt2(log) }, { format: FORMAT + 1 }), 2);
  following.deliver();
  await turn();
  expect(failures.map(({ message }) => message)).toEqual([
    'n1 leads with Leveret 1.0.0, which writes format 2; this one reads up to 1: start Leveret 1.0.0 or later here',
  ]);
  await tables.close();
  expect(valueIn(disk, 'a')).toBe('1');
  expect(placeIn(disk)?.seq).toBe(2);
  expect(formatIn(disk)).toBe(FORMAT);
  await follower.settled();
});

test('the tables say in which format their leader writes, with the first batch that is of it', async () => {
  const { disk, log, tables, following, write } = node();
  write(BATCH, 1, batchText('a', '1'));
  following.deliver();
  await turn();
  tables.sync();
  expect(formatIn(disk)).toBe(FORMAT);
  const before = { ...placeOfLead(LOG_START), seq: 2 };
  log.append(leadBehind({ ...before, digest: digestAt2(log) }, { format: FORMAT - 1 }), 2);
  write(BATCH, 1, batchText('a', '2'), 3);
  following.deliver();
  await turn();
  expect(formatIn(disk)).toBe(FORMAT);
  tables.sync();
  expect([valueIn(disk, 'a'), formatIn(disk)]).toEqual(['2', FORMAT - 1]);
});

test('the tables of a node that leads and writes nothing are those of the log, and not of a broker of its own', async () => {
  const { disk, tables, follower } = node();
  follower.begun({ format: FORMAT, version: '1.2.3' });
  const settled = follower.settled();
  tables.sync();
  await settled;
  expect(formatIn(disk)).toBe(FORMAT);
  expect(placeIn(disk)).toEqual({ ...LOG_START, logId: LOG_ID });
});

test('a record of a later form ends it, and is not called damaged', async () => {
  const { failures, following, write } = node();
  write(9, 1);
  following.deliver();
  await turn();
  expect(failures[0]).toBeInstanceOf(TooNewError);
  expect((failures[0] as TooNewError).damaged).toBe(false);
  expect(failures[0]?.message).toBe(
    'record 2 of the log is of a kind that this Leveret does not know (1, 9): start the newest version that runs in the cluster here',
  );
});

/** The digest behind the second record of a log. */
function digestAt2(log: SharedLog): number {
  const { follower, following } = node(new Disk(), log);
  following.deliver(2);
  following.end();
  return follower.place.digest;
}

test('damage, and a batch that is none, end it; nothing behind is read', async () => {
  for (const [bytes, why] of [
    [spoiled(record(BATCH, 1, 2, batchText('a', '2'))), 'does not match its checksum'],
    [record(BATCH, 1, 2, 'no changes'), 'holds no changes that this Leveret knows'],
    [record(BEAT, 1, 2, 'dig.'), 'has read others before it'],
  ] as const) {
    const { disk, log, tables, failures, following, write } = node();
    write(BATCH, 1, batchText('a', '1'));
    log.append(bytes, log.last);
    write(BATCH, 3, batchText('a', '3'));
    following.deliver();
    await turn();
    following.deliver();
    await turn();
    expect(failures.length).toBe(1);
    expect(failures[0]).toBeInstanceOf(StoreError);
    expect((failures[0] as StoreError).damaged).toBe(true);
    expect(failures[0]?.message).toContain(why);
    await tables.close();
    expect(valueIn(disk, 'a')).toBe('1');
    expect(placeIn(disk)?.seq).toBe(2);
  }
});

function spoiled(bytes: Buffer): Buffer {
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  return bytes;
}

test('tables that fail end it, and all that waits for them', async () => {
  const { tables, failures, follower, following, write } = node();
  write(BATCH, 1, batchText('a', '1'));
  following.deliver();
  await turn();
  const settled = follower.settled();
  const failure = new Error('the disk is full');
  tables.fail(failure);
  tables.fail(new Error('again'));
  await settled;
  expect(failures).toEqual([failure]);
});

test('a leader that says that it leads no longer is heard, and the next one too', async () => {
  const { log, follower, following, write } = node();
  write(DOWN, 1);
  following.deliver();
  await turn();
  expect(follower.isDown).toBe(true);
  log.append(leadBehind(follower.place), log.last);
  following.deliver();
  await turn();
  expect(follower.isDown).toBe(false);
});

test('a log that was trimmed beyond it is told', () => {
  const log = new SharedLog();
  log.append(leadBehind(LOG_START), 0);
  for (let number = 1; number < 5; number += 1) {
    log.append(record(BATCH, 1, number, batchText('a', '1')), log.last);
  }
  log.purge(4);
  const { behind, following } = node(new Disk(), log);
  expect(following.deliver()).toBe(0);
  expect(behind).toEqual([4]);
});
