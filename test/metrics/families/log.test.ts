// What Prometheus scrapes of the log that batches go to before the tables have them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from '../../management/support.ts';

let api: Api;
let url: string;
const dataDir = mkdtempSync(join(tmpdir(), 'leveret-log-metrics-'));

beforeAll(async () => {
  api = await startApi({ memory: false, dataDir, prometheusPort: 0 });
  const port = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp')?.port;
  url = `http://127.0.0.1:${port}/metrics`;
});
afterAll(async () => {
  await api.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function scrape(): Promise<Record<string, number>> {
  const lines = (await (await fetch(url)).text()).split('\n');
  const ours = lines.filter((line) => line.startsWith('leveret_store_'));
  return Object.fromEntries(
    ours.map((line) => [line.split(' ')[0]?.slice(14), Number(line.split(' ')[1])]),
  );
}

test('a confirm is a write to the log, and what is large goes into the tables at once', async () => {
  const channel = await (await connect(api.amqpUrl)).createConfirmChannel();
  await channel.assertQueue('q');
  const before = await scrape();
  expect(before).toMatchObject({ log_bytes: 16 * 2 ** 20 });
  const send = async (bytes: number): Promise<Record<string, number>> => {
    channel.sendToQueue('q', Buffer.alloc(bytes), { persistent: true });
    await channel.waitForConfirms();
    return scrape();
  };
  const small = await send(100);
  const appended = small['log_appended_bytes_total'] as number;
  expect(small['log_appends_total']).toBeGreaterThan(before['log_appends_total'] as number);
  expect(appended).toBeGreaterThan((before['log_appended_bytes_total'] as number) + 100);
  expect(small['log_append_seconds_total']).toBeGreaterThan(0);
  // A quarter of the log's file is the most that it takes.
  const large = await send(8 * 2 ** 20);
  expect(large['direct_commits_total']).toBeGreaterThan(small['direct_commits_total'] as number);
  expect((large['log_appended_bytes_total'] as number) - appended).toBeLessThan(2 ** 20);
  expect(large['checkpoints_total']).toBeGreaterThan(0);
  expect(large['checkpoint_seconds_total']).toBeGreaterThan(0);
  await expect.poll(async () => (await scrape())['log_unapplied_records']).toBe(0);
  await expect.poll(async () => (await scrape())['log_unapplied_bytes']).toBe(0);
});
