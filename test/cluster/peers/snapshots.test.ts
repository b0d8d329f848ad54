import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { clientTls, serverTls } from '../../../src/cluster/peers/peer-key.ts';
import { sumFile } from '../../../src/cluster/snapshots/file-sum.ts';
import type { Snapshot } from '../../../src/cluster/snapshots/snapshot-keeper.ts';
import { StoreError } from '../../../src/store/errors.ts';
import { placeAt, useFolder } from '../snapshots/tables.ts';
import { KEY, usePorts } from './ports.ts';

const open = usePorts();
const folder = useFolder();

/** A file of so many bytes as a snapshot, whatever is in it. */
async function snapshotOf(bytes: number): Promise<Snapshot> {
  const path = folder();
  mkdirSync(path);
  const data = join(path, 'data.mdb');
  writeFileSync(data, Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 31) % 251)));
  const sum = await sumFile(data);
  return { folder: path, place: placeAt(7), madeAtMs: 1_700_000_000_000, ...sum };
}

/** A port that sends this snapshot, and which were told to be damaged. */
async function portWith(snapshot: Snapshot, stallMs = 30_000) {
  const damaged: Snapshot[] = [];
  const port = await open(
    {
      newest: () => snapshot,
      damaged: async (which) => {
        damaged.push(which);
      },
    },
    { stallMs },
  );
  return { ...port, damaged };
}

const BYTES = 3 * 2 ** 20 + 17;

/** Spoils one byte of a file, its length stays. */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

describe('a snapshot', () => {
  test.each([1, 256 * 1024, BYTES])('of %i bytes comes over as it was written', async (bytes) => {
    const snapshot = await snapshotOf(bytes);
    const { client, said } = await portWith(snapshot);
    const into = folder();
    const { folder: _from, ...facts } = snapshot;
    expect(await client().fetchSnapshot(into)).toEqual(facts);
    const written = readFileSync(join(snapshot.folder, 'data.mdb'));
    expect(readFileSync(join(into, 'data.mdb')).equals(written)).toBe(true);
    await expect.poll(() => said).toMatchObject([{ text: 'snapshot sent', peer: 'n1' }]);
  });

  test('that is not there is refused', async () => {
    const { client } = await open();
    const into = folder();
    await expect(client().fetchSnapshot(into)).rejects.toThrow(/node n2 .*: it has none/);
    expect(existsSync(into)).toBe(false);
  });

  test.each([0, 300_000, BYTES - 1])(
    'with byte %i spoiled on the disk is broken off, and told to be damaged',
    async (at) => {
      const snapshot = await snapshotOf(BYTES);
      flip(join(snapshot.folder, 'data.mdb'), at);
      const { client, damaged } = await portWith(snapshot);
      const into = folder();
      await expect(client().fetchSnapshot(into)).rejects.toThrow(StoreError);
      expect(existsSync(into)).toBe(false);
      await expect.poll(() => damaged).toEqual([snapshot]);
    },
  );

  test('whose file was cut short is broken off, and told to be damaged', async () => {
    const snapshot = await snapshotOf(BYTES);
    truncateSync(join(snapshot.folder, 'data.mdb'), BYTES - 1000);
    const { client, damaged } = await portWith(snapshot);
    const into = folder();
    await expect(client().fetchSnapshot(into)).rejects.toThrow(/it broke off its answer/);
    expect(existsSync(into)).toBe(false);
    await expect.poll(() => damaged).toEqual([snapshot]);
  });

  test('whose file is gone is refused, and the port goes on', async () => {
    const snapshot = await snapshotOf(100);
    rmSync(join(snapshot.folder, 'data.mdb'));
    const { client } = await portWith(snapshot);
    await expect(client().fetchSnapshot(folder())).rejects.toThrow(/cannot give it now/);
    expect(await client().status()).not.toBe('');
  });

  test('to a peer that takes nothing is broken off', async () => {
    const snapshot = await snapshotOf(32 * 2 ** 20);
    const { port, said } = await portWith(snapshot, 100);
    const socket = connectTls({ host: '127.0.0.1', port, ...clientTls(KEY) });
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET /snapshot HTTP/1.1\r\nhost: x\r\nleveret-node: n3\r\n\r\n');
    await expect
      .poll(() => said)
      .toMatchObject([{ text: 'snapshot not sent', peer: 'n3', result: 'cut' }]);
    socket.destroy();
  });

  test('is sent once at a time to a peer: what it asks for anew takes the place', async () => {
    const snapshot = await snapshotOf(32 * 2 ** 20);
    const { port, said, client } = await portWith(snapshot);
    const socket = connectTls({ host: '127.0.0.1', port, ...clientTls(KEY) });
    socket.on('error', () => {});
    const received = { count: 0 };
    socket.once('data', (bytes: Buffer) => {
      received.count = bytes.length;
      socket.pause();
    });
    socket.write('GET /snapshot HTTP/1.1\r\nhost: x\r\nleveret-node: n1\r\n\r\n');
    await expect.poll(() => received.count).toBeGreaterThan(0);
    await client().fetchSnapshot(folder());
    await expect.poll(() => said).toHaveLength(2);
    expect(said).toContainEqual(expect.objectContaining({ peer: 'n1', result: 'cut' }));
    socket.destroy();
  });
});

/** A peer that answers as it should not. */
async function oddPeer(head: string, body: Buffer, ends: boolean) {
  const server = createServer(serverTls(KEY), (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
      socket.write(body);
      if (ends) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it has no address');
  return { port: address.port, close: () => server.close() };
}

describe('a peer that sends a snapshot', () => {
  const facts = (changed: object = {}): string =>
    JSON.stringify({
      ...placeAt(7),
      bytes: 1000,
      sha256: '00'.repeat(32),
      madeAtMs: 1,
      ...changed,
    });
  const headOf = (text: string, length = 1000): string =>
    `content-length: ${length}\r\nleveret-snapshot: ${text}`;

  test.each([
    ['which stalls', headOf(facts()), 500, false, /it does not go on/],
    ['which ends early', headOf(facts()), 500, true, /it broke off/],
    ['with another sum', headOf(facts()), 1000, true, /not what was written/],
    ['with another length', headOf(facts(), 999), 999, true, /does not say what/],
    ['without its facts', 'content-length: 1000', 1000, true, /does not say what/],
    ['with odd facts', headOf('{"seq":1}'), 1000, true, /does not say what/],
    ['larger than the disk', headOf(facts({ bytes: 2 ** 47 }), 2 ** 47), 500, false, /free/],
  ])('%s leaves nothing', async (_what, head, bytes, ends, text) => {
    const { port, close } = await oddPeer(head, Buffer.alloc(bytes), ends);
    const { client } = await open();
    const into = folder();
    // Only the one that stalls is to be given up soon.
    const stallMs = ends ? 30_000 : 200;
    await expect(client({ port, stallMs }).fetchSnapshot(into)).rejects.toThrow(text);
    expect(existsSync(into)).toBe(false);
    close();
  });
});
