// The formats that nodes of several versions write: in which one the tables of each are, and where one stops.

import { afterEach, expect, test } from 'vitest';
import { FORMAT_VERSION } from '../../../src/store/format.ts';
import { closeStore, openStore } from '../../../src/store/opened-store.ts';
import { tryToLead } from '../../../src/store/replicated/appender.ts';
import { Chain, LOG_START, type Place } from '../../../src/store/replicated/chain.ts';
import { type LogPlace, putPlace, readPlace } from '../../../src/store/replicated/place.ts';
import { BEAT, beatBody, recordHead } from '../../../src/store/replicated/record.ts';
import { TABLE_META } from '../../../src/store/tables.ts';
import { LOG_ID, type SharedLog } from '../../store/replicated/memory-log-client.ts';
import { TestCluster, type TestNode } from './support.ts';

const LEASE = Buffer.from('the node of another version');
const POLL = { timeout: 20_000 };

const clusters: TestCluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((each) => each.close()));
});

function newCluster(): TestCluster {
  const cluster = new TestCluster();
  clusters.push(cluster);
  return cluster;
}

/** How far a node is that has read all of a log. */
function endOf(log: SharedLog): Place {
  const chain = new Chain(LOG_START);
  for (const [i, bytes] of log.records.entries()) chain.read(i + 1, bytes as Buffer);
  return chain.place;
}

/** A node of another version, which writes this format, takes the lead and says no more. */
async function otherLeads(cluster: TestCluster, format: number, version: string): Promise<Place> {
  const { log } = cluster;
  log.set(LEASE, log.lease?.revision ?? 0);
  const claim = { format, version, node: 'n3', nonce: '5a'.repeat(16) };
  const result = await tryToLead(cluster.client(), endOf(log), claim);
  if (result.is !== 'leads') throw new Error('it does not lead');
  return result.place;
}

const free = ({ log }: TestCluster): number =>
  log.set(Buffer.alloc(0), log.lease?.revision as number);

interface Written {
  readonly format: number;
  readonly version: string;
  readonly place: LogPlace | null;
}

/** What the folder of a node that has stopped says of itself. */
async function inFolder({ dataDir }: TestNode): Promise<Written> {
  const place = { dataDir, memory: false, commitTimeoutMs: 30_000, replicated: true };
  const opened = await openStore(place, 'none');
  const value = opened.store.get(TABLE_META, Buffer.from('format')) as Buffer;
  const found = readPlace(opened.store);
  await closeStore(opened, false);
  const version = value.toString('utf8', 4, value.length - 4);
  return { format: value.readUInt32BE(), version, place: found };
}

const stop = ({ broker }: TestNode): Promise<void> => broker.close('the test stops it');

test('the tables of a node are in the format of the leader that it follows, and in its own once it leads', async () => {
  const cluster = newCluster();
  const { seq, digest } = await otherLeads(cluster, FORMAT_VERSION - 1, '0.0.9');
  const first = await cluster.start('n1');
  await expect.poll(() => cluster.rows.get('n1')?.epoch, POLL).toBe(seq);
  await stop(first);
  const older = { format: FORMAT_VERSION - 1, version: '0.0.9' };
  expect(await inFolder(first)).toMatchObject(older);

  // Nor does a second start change it.
  const beat = [recordHead(BEAT, seq, 1, [beatBody(digest)]), beatBody(digest)];
  cluster.log.append(Buffer.concat(beat), seq);
  const second = await cluster.start('n1');
  await expect.poll(() => cluster.rows.get('n1')?.reached, POLL).toBe(seq + 1);
  await stop(second);
  expect(await inFolder(second)).toMatchObject({ ...older, place: { seq: seq + 1 } });

  const again = await cluster.start('n1');
  free(cluster);
  await expect.poll(() => again.port('listeners.tcp.default'), POLL).toBeDefined();
  await again.call('PUT', '/queues/%2F/q', undefined, { durable: true });
  await stop(again);
  const now = await inFolder(again);
  expect(now.format).toBe(FORMAT_VERSION);
  expect(now.place?.epoch).toBeGreaterThan(seq);
});

test('a node that a newer format leads stops, says why, and leaves its folder as it was', async () => {
  const cluster = newCluster();
  const first = await cluster.start('n1');
  await cluster.leader();
  const second = await cluster.start('n2');
  await first.call('PUT', '/queues/%2F/q', undefined, { durable: true });
  await stop(first);
  await stop(second);
  const before = await Promise.all([inFolder(first), inFolder(second)]);
  await otherLeads(cluster, FORMAT_VERSION + 1, '9.9.9');

  for (const name of ['n1', 'n2', 'empty']) {
    const node = await cluster.start(name);
    expect((await node.broker.failed).message).toBe(
      `n3 leads with Leveret 9.9.9, which writes format ${FORMAT_VERSION + 1}; this one reads up to ${FORMAT_VERSION}: start Leveret 9.9.9 or later here`,
    );
  }
  const after = await Promise.all([inFolder(first), inFolder(second)]);
  for (const [i, { format, place }] of after.entries()) {
    expect(format).toBe(FORMAT_VERSION);
    expect(place?.epoch).toBe(before[i]?.place?.epoch);
  }
});

test('a folder that an older Leveret made is followed into, and led from', async () => {
  const cluster = newCluster();
  const { dataDir } = cluster.settings('n1');
  const place = { dataDir, memory: false, commitTimeoutMs: 30_000, replicated: true };
  const opened = await openStore(place, '0.0.1');
  putPlace(opened.store, { ...LOG_START, logId: LOG_ID });
  await closeStore(opened);
  const node = await cluster.start('n1');
  await expect.poll(() => node.port('listeners.tcp.default'), POLL).toBeDefined();
  await stop(node);
  expect(await inFolder(node)).toMatchObject({ format: FORMAT_VERSION, place: { epoch: 1 } });
});
