// The page of the nodes of a cluster, as a browser on a node that follows shows it.

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCluster, type TestNode } from '../boot/cluster/support.ts';
import { startApi, until } from '../management/support.ts';
import { hasBrowser, launch, logIn } from './stage.ts';

let cluster: TestCluster;
let jobs: TestCluster;
let follower: TestNode;
let browser: Browser;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  if (!hasBrowser) return;
  cluster = new TestCluster();
  await cluster.start('n1');
  await cluster.leader();
  follower = await cluster.start('n2');
  await until(async () => (await follower.leads()) === 'leveret@n1');
  jobs = new TestCluster(cluster, 'fedcba9876543210fedcba9876543210');
  await jobs.start('j1', { clusterGroup: 'jobs' });
  await jobs.leader();
  browser = await launch();
  page = await logIn(browser, follower.url(), complaints);
});

afterAll(async () => {
  await browser?.close();
  await jobs?.close();
  await cluster?.close();
});

test.skipIf(!hasBrowser)(
  'the nodes and the log are shown, and the lead is given away',
  async () => {
    await page.getByRole('link', { name: 'Nodes' }).click();
    const row = async (name: string): Promise<string> =>
      (await page.getByRole('row').filter({ hasText: name }).allInnerTexts()).join();
    await expect.poll(() => row('leveret@n1')).toContain('leader');
    await expect.poll(() => row('leveret@n2')).toContain('follower');
    const text = async (): Promise<string> => (await page.locator('main').allInnerTexts()).join();
    await expect.poll(text).toContain('3 of 3 machines have all of it');
    cluster.current = [true, true, false];
    await expect.poll(text, { timeout: 20_000 }).toContain('m2 (7 records)');
    await page.getByRole('button', { name: 'Make a snapshot' }).click();
    await expect.poll(() => row('leveret@n1'), { timeout: 20_000 }).toMatch(/\d$/);
    await expect.poll(() => row('jobs'), { timeout: 20_000 }).toContain('leveret@j1');
    await page.goto(`${follower.url()}/#/vhost/%2F`);
    await page.getByRole('button', { name: 'Move' }).click();
    await page.getByLabel('Group').selectOption('jobs');
    await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
    const place = async () => (await follower.call('GET', '/vhosts/%2F')).json?.leveret?.group;
    await expect.poll(place, { timeout: 30_000 }).toBe('jobs');
    await expect.poll(text, { timeout: 20_000 }).toMatch(/Group\s+jobs/);
    expect(complaints).toEqual([]);
    await page.goto(`${follower.url()}/#/nodes`);

    await page.getByRole('button', { name: 'Step down' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Step down' }).click();
    await expect.poll(() => row('leveret@n2'), { timeout: 30_000 }).toContain('leader');
  },
);

test.skipIf(!hasBrowser)('a broker that is in no cluster has no such page', async () => {
  const api = await startApi();
  try {
    const alone = await logIn(browser, api.url, complaints);
    const links = (name: string): Promise<number> => alone.getByRole('link', { name }).count();
    await expect.poll(() => links('Exchanges')).toBeGreaterThan(0);
    await expect.poll(() => links('Nodes')).toBe(0);
    await alone.close();
  } finally {
    await api.close();
  }
});
