// Owns the tests of `leveret check --repair` on folders with rows of each kind that no broker can use: it ends in
// a folder that starts, or says in one line why not. Each folder starts before the repair, too.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DefinitionRows } from '../../src/broker/vhost/topology-rows.ts';
import { withChecksum } from '../../src/store/checksum.ts';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import type { Store } from '../../src/store/port.ts';
import { encodeRow, rowKey } from '../../src/store/row.ts';
import {
  TABLE_ACCESS,
  TABLE_DEFINITIONS,
  TABLE_MARKS,
  TABLE_META,
  TABLE_PAGES,
  TABLE_POLICIES,
  TABLE_REDO,
  TABLE_SEGMENTS,
} from '../../src/store/tables.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
const BEHIND = Buffer.alloc(64, 0xff);

function check(dataDir: string, ...args: string[]): { code: number | null; out: string } {
  const all = [join(ROOT, 'bin', 'leveret'), 'check', '--data-dir', dataDir, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { code: status, out: stdout + stderr };
}

/** What each test gets a copy of. */
let pattern = '';

/** The folder of a stopped broker: two queues with a message each, and an exchange. */
beforeAll(async () => {
  pattern = mkdtempSync(join(tmpdir(), 'leveret-repair-'));
  const broker = await processes.start(pattern);
  const channel = await processes.channel(broker);
  await channel.assertQueue('whole', { durable: true });
  await channel.assertQueue('spoilt', { durable: true });
  await channel.assertExchange('topics', 'topic', { durable: true });
  await channel.bindQueue('spoilt', 'topics', 'key');
  for (const queue of ['whole', 'spoilt']) {
    channel.sendToQueue(queue, Buffer.from(queue), { persistent: true });
  }
  await channel.waitForConfirms();
  expect((await broker.end('SIGTERM')).code).toBe(0);
});

afterAll(() => rmSync(pattern, { recursive: true, force: true }));

/** A copy of that folder. */
function stopped(): string {
  const dataDir = processes.folder();
  // Not its lock, which has a socket.
  cpSync(join(pattern, 'store'), join(dataDir, 'store'), { recursive: true });
  return dataDir;
}

async function change(dataDir: string, act: (store: Store) => void): Promise<void> {
  const store = await openLmdbStore(join(dataDir, 'store'));
  act(store);
  await store.close();
}

function bindTo(store: Store, destination: string): void {
  const binding = { source: 'topics', toExchange: false, bindingKey: 'key', arguments: new Map() };
  new DefinitionRows(store).putBinding('/', destination, { ...binding, destination });
}

/** Cuts the last byte off each row of a table that begins so. */
function cut(store: Store, table: number, from = Buffer.alloc(0)): void {
  const rows = [...store.range(table, from, Buffer.concat([from, BEHIND]))];
  expect(rows.length).toBeGreaterThan(0);
  for (const { key, value } of rows) store.put(table, key, value.subarray(0, -1));
}

function queueRow(store: Store, name: string, row: object): void {
  store.put(TABLE_DEFINITIONS, rowKey('q', '/', name), encodeRow({ ...row }));
}

const NO_ARGUMENTS = Buffer.alloc(4).toString('base64');
const LONG = 'q'.repeat(400);

const DAMAGES: Record<string, (store: Store) => void> = {
  'a binding to a queue that is not there': (store) => bindTo(store, 'none'),
  'a binding to a queue whose name is too long for any': (store) => bindTo(store, 'q'.repeat(3000)),
  'a binding from an exchange that is not there': (store) => {
    store.remove(TABLE_DEFINITIONS, rowKey('x', '/', 'topics'));
  },
  'a queue whose name is too long': (store) =>
    queueRow(store, LONG, { id: 77, name: LONG, autoDelete: false, arguments: NO_ARGUMENTS }),
  'a queue with the number of another': (store) => {
    const [row] = store.range(TABLE_PAGES, Buffer.alloc(0), BEHIND);
    const id = (row as { key: Buffer }).key.readUInt32BE(0);
    queueRow(store, 'twin', { id, name: 'twin', autoDelete: false, arguments: NO_ARGUMENTS });
  },
  'a queue with fields of other types': (store) =>
    queueRow(store, 'odd', { id: '1e99', name: {}, autoDelete: [], arguments: 7 }),
  'an exchange of a type that nobody knows': (store) => {
    const row = { name: 'x', type: 'x-new', autoDelete: false, arguments: NO_ARGUMENTS };
    store.put(TABLE_DEFINITIONS, rowKey('x', '/', 'x'), encodeRow(row));
  },
  'a definition of a kind that nobody knows': (store) =>
    store.put(TABLE_DEFINITIONS, rowKey('z', '/', 'later'), encodeRow({ version: 99 })),
  'pages that no queue has': (store) => {
    for (const { key, value } of [...store.range(TABLE_PAGES, Buffer.alloc(0), BEHIND)]) {
      const dangling = Buffer.from(key);
      dangling.writeUInt32BE(4_000_000_000);
      store.put(TABLE_PAGES, dangling, value);
    }
  },
  'pages of a layout that nobody knows': (store) => {
    for (const { key, value } of [...store.range(TABLE_PAGES, Buffer.alloc(0), BEHIND)]) {
      const later = Buffer.from(value.subarray(0, -4));
      later[0] = 0x1f;
      later[1] = 0xff;
      store.put(TABLE_PAGES, key, withChecksum(later));
    }
  },
  'pages that were cut': (store) => cut(store, TABLE_PAGES),
  'pages with keys of other lengths': (store) =>
    store.put(TABLE_PAGES, Buffer.of(1, 2, 3), withChecksum(Buffer.from('odd'))),
  'segments with keys of other lengths': (store) => {
    const [first] = store.range(TABLE_SEGMENTS, Buffer.alloc(0), BEHIND);
    const { key, value } = first as { key: Buffer; value: Buffer };
    store.put(TABLE_SEGMENTS, Buffer.of(1, 2, 3), Buffer.from('odd'));
    store.remove(TABLE_SEGMENTS, key);
    store.put(TABLE_SEGMENTS, key.subarray(0, 12), value);
  },
  'segments whose keys name no range': (store) => {
    const [first] = store.range(TABLE_SEGMENTS, Buffer.alloc(0), BEHIND);
    const { key, value } = first as { key: Buffer; value: Buffer };
    for (const [place, length] of [
      [0xffff_ffff, 0xffff_ffff],
      [0x7fff_ffff, 4],
      [0x8000_0000, 1],
    ] as const) {
      const odd = Buffer.from(key);
      odd.writeUInt32BE(place, 6);
      odd.writeUInt32BE(length, 10);
      store.put(TABLE_SEGMENTS, odd, value);
    }
  },
  'a batch under way that was cut': (store) =>
    store.put(TABLE_REDO, Buffer.from('redo'), Buffer.from('cut')),
  'marks of another layout': (store) =>
    store.put(TABLE_MARKS, Buffer.of(0, 0, 0, 1), withChecksum(Buffer.of(99))),
  'definitions of queues that were cut': (store) => cut(store, TABLE_DEFINITIONS, Buffer.from('q')),
  'users that were cut': (store) => cut(store, TABLE_ACCESS, Buffer.from('u')),
  'vhosts that were cut': (store) => cut(store, TABLE_ACCESS, Buffer.from('v')),
  'permissions that were cut': (store) => cut(store, TABLE_ACCESS, Buffer.from('p')),
  'a user with fields of other types': (store) =>
    store.put(TABLE_ACCESS, rowKey('u', 'odd'), encodeRow({ name: 'odd', tags: 'administrator' })),
  'a policy that is none': (store) =>
    store.put(TABLE_POLICIES, rowKey('p', '/', 'odd'), encodeRow({ name: 'odd', pattern: 1 })),
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`${what}: a start and a repair each end in a broker that serves`, async () => {
    const dataDir = stopped();
    await change(dataDir, damage);
    const before = await processes.start(dataDir);
    await before.end('SIGKILL');

    const { code, out } = check(dataDir, '--repair');
    expect(out).not.toMatch(/^\s+at /m);
    expect([0, 1], out).toContain(code);
    // What is not taken out is named, each in a line.
    const again = check(dataDir);
    expect(again.out).toMatch(/^(sound|damaged: .+)$/m);
    // One repair takes out all that a second one would.
    expect(again.out).not.toMatch(/^damaged: .* \([0-9a-f]+\)$/m);
    expect(again.code).toBe(/^sound$/m.test(again.out) ? 0 : 1);
    const broker = await processes.start(dataDir);
    const errors = broker.entries.filter(({ level }) => level === 'error');
    if (again.code === 0) expect(errors).toEqual([]);
    expect((await broker.end('SIGTERM')).code).toBe(0);
  });
}

test('messages with any kind of x-death are sound, and a start serves them', async () => {
  const dataDir = processes.folder();
  const first = await processes.start(dataDir);
  const channel = await processes.channel(first);
  await channel.assertQueue('odd', { durable: true });
  const deaths: unknown[] = ['text', 7, [], [7, 'text', []], [{ queue: 7, count: 'x' }], { a: 1 }];
  for (const death of deaths) {
    const headers = { 'x-death': death, 'x-delivery-count': death };
    channel.sendToQueue('odd', Buffer.from('odd'), { persistent: true, headers });
  }
  await channel.waitForConfirms();
  await first.end('SIGKILL');
  expect(check(dataDir, '--repair')).toMatchObject({ code: 0 });
  const second = await processes.start(dataDir);
  const other = await processes.channel(second);
  expect((await other.checkQueue('odd')).messageCount).toBe(deaths.length);
  expect((await second.end('SIGTERM')).code).toBe(0);
});

test('a folder of a later version is left as it is, and one line says why', async () => {
  const dataDir = stopped();
  await change(dataDir, (store) => {
    const [row] = store.range(TABLE_META, Buffer.alloc(0), BEHIND);
    const { key, value } = row as { key: Buffer; value: Buffer };
    const later = Buffer.from(value.subarray(0, -4));
    later.writeUInt32BE(99);
    store.put(TABLE_META, key, withChecksum(later));
  });
  const { code, out } = check(dataDir, '--repair');
  expect(code).toBe(1);
  expect(out).toMatch(/written by a newer Leveret.*format 99/);
  expect(out.trim().split('\n')).toHaveLength(1);
});
