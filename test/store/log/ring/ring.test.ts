import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { LOG_FILE, readLogFile, renewLogFile } from '../../../../src/store/log/ring/file.ts';
import { BLOCK_BYTES, recordBytes } from '../../../../src/store/log/ring/format.ts';
import { RingLog } from '../../../../src/store/log/ring/ring-log.ts';
import { RingRoom } from '../../../../src/store/log/ring/room.ts';
import { scanRing } from '../../../../src/store/log/ring/scan.ts';

const SALT = '00112233445566ff';
const FILE_BYTES = 64 * 1024;
const folders: string[] = [];
const logs: RingLog[] = [];

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function openRing(): Promise<{ log: RingLog; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-ring-'));
  folders.push(folder);
  await renewLogFile(folder, { fileBytes: FILE_BYTES, salt: SALT });
  const fd = openSync(join(folder, LOG_FILE), 'r+');
  const log = new RingLog({ fd, folder, bytes: FILE_BYTES, writesThrough: false }, SALT, 30_000);
  logs.push(log);
  return { log, folder };
}

function append(log: RingLog, number: number, ...parts: Buffer[]): Promise<void> {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  return new Promise((resolve, reject) => {
    log.append(number, parts, bytes, (error) => (error === null ? resolve() : reject(error)));
  });
}

const body = (number: number, bytes: number): Buffer => Buffer.alloc(bytes, `body ${number} `);
const bytesIn = (folder: string): Buffer => readFileSync(join(folder, LOG_FILE));
const numbersIn = (bytes: Buffer, after = 0): number[] =>
  scanRing(bytes, SALT, after).records.map(({ number }) => number);

test('what was appended is read back behind a number, whole', async () => {
  const { log, folder } = await openRing();
  await append(log, 1, body(1, 10));
  await append(log, 2, body(2, 5000), body(2, 7));
  await append(log, 3, body(3, 1));
  const { records, damaged, tornBytes } = scanRing(bytesIn(folder), SALT, 1);
  expect(records).toEqual([
    { number: 2, body: Buffer.concat([body(2, 5000), body(2, 7)]) },
    { number: 3, body: body(3, 1) },
  ]);
  expect([damaged, tornBytes]).toEqual([null, 0]);
  expect(scanRing(bytesIn(folder), '00112233445566fe', 0).records).toEqual([]);
});

test('records beyond one buffer are written from where they lie', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-ring-'));
  folders.push(folder);
  await renewLogFile(folder, { fileBytes: 2 ** 20, salt: SALT });
  const fd = openSync(join(folder, LOG_FILE), 'r+');
  const log = new RingLog({ fd, folder, bytes: 2 ** 20, writesThrough: false }, SALT, 30_000);
  logs.push(log);
  await append(log, 1, body(1, 100_000), body(1, 33_333));
  await append(log, 2, body(2, 3));
  expect(scanRing(bytesIn(folder), SALT, 0).records).toEqual([
    { number: 1, body: Buffer.concat([body(1, 100_000), body(1, 33_333)]) },
    { number: 2, body: body(2, 3) },
  ]);
});

test('the file is written round and round, and never over a record that is needed', async () => {
  const { log, folder } = await openRing();
  for (let number = 1; number <= 200; number++) {
    const bytes = ((number * 2711) % (FILE_BYTES / 4)) + 1;
    while (!log.hasRoom(Math.min(bytes, log.bodyBytesMax))) {
      const [first] = numbersIn(bytesIn(folder), lastGone);
      expect(first).toBe(lastGone + 1);
      lastGone += 1;
      log.letGo(lastGone);
    }
    await append(log, number, body(number, Math.min(bytes, log.bodyBytesMax)));
    const { records } = scanRing(bytesIn(folder), SALT, lastGone);
    expect(records.map((record) => record.number)).toEqual(
      Array.from({ length: number - lastGone }, (_, n) => lastGone + 1 + n),
    );
    for (const record of records) {
      expect(record.body.equals(body(record.number, record.body.length))).toBe(true);
    }
  }
  expect(log.usedBytes).toBeGreaterThan(0);
  log.letGo(200);
  expect(log.usedBytes).toBe(0);
});
let lastGone = 0;

test('a ring gives no room that overlaps what it gave before, whatever comes and goes', () => {
  const room = new RingRoom(4, 64);
  const live = new Map<number, [number, number]>();
  let oldest = 1;
  let next = 1;
  let used = 0;
  for (let n = 0; n < 5000; n++) {
    const bytes = ((n * 7919) % 13) + 1;
    const at = room.find(bytes);
    if (at < 0 || (n % 11 === 0 && live.size > 0)) {
      expect(live.size).toBeGreaterThan(0);
      const [from, to] = live.get(oldest) as [number, number];
      used -= to - from;
      live.delete(oldest);
      room.letGo(oldest);
      oldest += 1;
    } else {
      for (const [from, to] of live.values()) expect(at >= to || at + bytes <= from).toBe(true);
      expect(at >= 4 && at + bytes <= 64).toBe(true);
      room.take(next, at, bytes);
      live.set(next, [at, at + bytes]);
      used += bytes;
      next += 1;
    }
    expect(room.used).toBe(used);
  }
});

test('a record that was cut off is torn, wherever it was cut', async () => {
  const { log, folder } = await openRing();
  for (let number = 1; number <= 3; number++) await append(log, number, body(number, 9000));
  const whole = bytesIn(folder);
  const third = BLOCK_BYTES + 2 * recordBytes(9000);
  for (let cut = third; cut < third + 40 + 9000; cut += 512) {
    const bytes = Buffer.from(whole);
    bytes.fill(0, cut, third + recordBytes(9000));
    const scan = scanRing(bytes, SALT, 0);
    expect(scan.records.map(({ number }) => number)).toEqual([1, 2]);
    expect(scan.damaged).toBeNull();
    expect(scan.tornBytes).toBe(cut === third ? 0 : recordBytes(9000));
  }
});

test('one flipped bit in a record that was acknowledged is damage, wherever it is', async () => {
  const { log, folder } = await openRing();
  for (let number = 1; number <= 3; number++) await append(log, number, body(number, 600));
  const whole = bytesIn(folder);
  for (let at = 0; at < 640; at++) {
    const bytes = Buffer.from(whole);
    bytes[BLOCK_BYTES + recordBytes(600) + at] =
      (bytes[BLOCK_BYTES + recordBytes(600) + at] as number) ^ 4;
    const scan = scanRing(bytes, SALT, 0);
    // Four octets of a head have no meaning yet; their checksum covers them too.
    expect(scan.damaged, `octet ${at}`).toBe(2);
    expect(scan.records.map(({ number }) => number)).toEqual([1]);
    expect(scan.beyond).toBe(1);
  }
});

test('a number that the tables alone had, and have no longer, is damage', async () => {
  const { log, folder } = await openRing();
  await append(log, 1, body(1, 10));
  await append(log, 3, body(3, 10));
  expect(scanRing(bytesIn(folder), SALT, 2)).toMatchObject({ damaged: null, beyond: 0 });
  expect(scanRing(bytesIn(folder), SALT, 1)).toMatchObject({ damaged: 2, beyond: 1 });
  expect(scanRing(bytesIn(folder), SALT, 0)).toMatchObject({ damaged: 2, beyond: 1 });
});

test('a file is told from one of another run, and from none', async () => {
  const { folder } = await openRing();
  expect((await readLogFile(folder))?.header).toEqual({ fileBytes: FILE_BYTES, salt: SALT });
  rmSync(join(folder, LOG_FILE));
  expect(await readLogFile(folder)).toBeNull();
});

test('nothing is appended after a failure, which is told once', async () => {
  const { log, folder } = await openRing();
  const broken = openSync(join(folder, LOG_FILE), 'r');
  const bad = new RingLog(
    { fd: broken, folder, bytes: FILE_BYTES, writesThrough: true },
    SALT,
    30_000,
  );
  await expect(append(bad, 1, body(1, 10))).rejects.toThrow('a commit has failed: EBADF');
  closeSync(broken);
  expect(log.usedBytes).toBe(0);
});

test.runIf(process.platform === 'linux')('a sync that fails is a failed append', async () => {
  // It takes all that is written, and cannot be synced.
  const fd = openSync('/dev/null', 'w');
  const file = { fd, folder: tmpdir(), bytes: FILE_BYTES };
  const synced = new RingLog({ ...file, writesThrough: false }, SALT, 30_000);
  await expect(append(synced, 1, body(1, 10))).rejects.toThrow('a commit has failed: EINVAL');
  const through = new RingLog({ ...file, writesThrough: true }, SALT, 30_000);
  await append(through, 1, body(1, 10));
  await through.close();
});

test.runIf(process.platform === 'linux')('a disk without room is a failed append', async () => {
  const fd = openSync('/dev/full', 'w');
  const file = { fd, folder: tmpdir(), bytes: FILE_BYTES, writesThrough: true };
  const full = new RingLog(file, SALT, 30_000);
  await expect(append(full, 1, body(1, 10))).rejects.toThrow(/ENOSPC.*: make room/);
  await full.close();
});
