// What the pages say when the broker does not answer, when it refuses, when something is gone, and when it has an
// alarm. In a real browser, against brokers that are stopped and started. Left out where there is none.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Api, startApi } from '../management/support.ts';
import { hasBrowser, launch, logIn, patientPage } from './stage.ts';

describe.skipIf(!hasBrowser)('the web UI where something is missing', () => {
  let browser: Browser;
  let api: Api;
  let page: Page;

  beforeAll(async () => {
    browser = await launch();
    api = await startApi();
  });
  afterEach(() => page?.close());
  afterAll(async () => {
    await browser?.close();
    await api?.close();
  });

  const open = (hash: string) => page.goto(`${api.url}/#${hash}`);
  const enabled = () => page.locator('main button:enabled').count();
  const banner = () => page.getByRole('alert').filter({ hasText: 'has not answered since' });

  test('a broker that stops is told of until it answers again, and nothing acts on it', async () => {
    await api.call('PUT', '/queues/%2F/work', { durable: true });
    page = await logIn(browser, api.url, []);
    await open('/queue/%2F/work');
    await page.getByText('messages ready').waitFor();
    await expect.poll(() => enabled()).toBeGreaterThan(5);
    const port = Number(new URL(api.url).port);
    await api.close();
    await banner().waitFor();
    await expect.poll(() => enabled()).toBe(0);
    await expect.poll(() => page.locator('body.lost').count()).toBe(1);
    await page.getByRole('link', { name: 'Exchanges' }).click();
    await page.getByText('This page is shown as soon as the broker answers.').waitFor();
    await expect
      .poll(() => page.locator('#nav a[aria-current]').allTextContents())
      .toEqual(['Exchanges']);
    api = await startApi({ managementPort: port });
    await page.getByRole('link', { name: 'amq.topic' }).waitFor();
    await banner().waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('body.lost, [data-held]').count()).toBe(0);
    await expect.poll(() => enabled()).toBeGreaterThan(1);
    // The new broker keeps its messages in memory, and never had the queue.
    await open('/queue/%2F/work');
    await page.getByText('There is no queue "work" in the vhost "/".').waitFor();
    await expect.poll(() => page.locator('main button').count()).toBe(0);
    await api.call('PUT', '/queues/%2F/work', { durable: true });
    await page.getByText('messages ready').waitFor();
    await api.call('DELETE', '/queues/%2F/work');
    await page.getByText('There is no queue "work" in the vhost "/".').waitFor();
  });

  test('what is not there is said to be missing, with a way back and nothing to press', async () => {
    page = await logIn(browser, api.url, []);
    const missing = {
      '/exchange/%2F/ghost': ['There is no exchange "ghost" in the vhost "/".', 'exchanges'],
      '/queue/nowhere/ghost': ['There is no vhost "nowhere", and so no queue "ghost"', 'queues'],
      '/connection/ghost': ['There is no connection "ghost".', 'connections'],
      '/user/ghost': ['There is no user "ghost".', 'access'],
      '/vhost/ghost': ['There is no vhost "ghost".', 'access'],
      '/channel/ghost': ['There is no channel "ghost".', 'connections'],
      '/topology/nowhere': ['There is no vhost "nowhere".', 'topology'],
    };
    for (const [hash, [text = '', list]] of Object.entries(missing)) {
      await open(hash);
      await page.getByRole('alert').filter({ hasText: text }).waitFor();
      await expect.poll(() => page.locator('main button').count()).toBe(0);
      await expect.poll(() => page.locator(`main a[href="#/${list}"]`).count()).toBe(1);
    }
    await open('/quees');
    await page.getByText('There is no page at "#/quees".').waitFor();
  });

  test('a click that fails says why, and a request that cannot be made is no broker that is gone', async () => {
    page = await logIn(browser, api.url, []);
    await page.evaluate(`Promise.all([import('./dom.js'), import('./api.js')]).then(([dom, api]) =>
      document.body.append(
        dom.h('button', { onclick: () => { throw new Error('at once'); } }, 'One'),
        dom.h('button', { onclick: async () => { throw new Error('a little later'); } }, 'Two'),
        dom.h('button', { onclick: () => api.call('GET', '/overview', undefined, { 'x-a': '→' }) }, 'Three'),
      ))`);
    const toast = (text: string | RegExp) => page.locator('.toast.bad', { hasText: text });
    // Not by the mouse: the page above them may still grow, and they stand below it.
    const press = (name: string) => page.getByRole('button', { name, exact: true }).press('Enter');
    await press('One');
    await toast('at once').waitFor();
    await press('Two');
    await toast('a little later').waitFor();
    await press('Three');
    await toast(/headers.*ISO-8859-1/).waitFor();
    await expect.poll(() => banner().count()).toBe(0);
  });

  test('a user that may use no vhost is told so in place of a picture', async () => {
    await api.call('PUT', '/users/nowhere', { password: 'secret', tags: 'management' });
    page = await patientPage(browser);
    await page.goto(`${api.url}/#/topology`);
    await page.getByLabel('User').fill('nowhere');
    await page.getByLabel('Password').fill('secret');
    await page.keyboard.press('Enter');
    await page.getByText('Your user may use no vhost.').waitFor();
  });

  test('a user whose password changes is told so at the form, and goes on where it was', async () => {
    await api.call('PUT', '/users/ann', { password: 'old', tags: 'administrator' });
    page = await patientPage(browser);
    await page.goto(`${api.url}/#/policies`);
    const enter = async (password: string): Promise<void> => {
      await page.getByLabel('User').fill('ann');
      await page.getByLabel('Password').fill(password);
      await page.keyboard.press('Enter');
    };
    await enter('old');
    await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor();
    await api.call('PUT', '/users/ann', { password: 'new', tags: 'administrator' });
    await page.getByText('the broker refused your login').waitFor();
    await enter('new');
    await page.getByRole('heading', { name: 'Policies', level: 1 }).waitFor();
  });

  test('an alarm stands on every page, for every user, with what to do about it', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'leveret-alarms-'));
    const limits = { diskFreeLimitBytes: 1e15, memoryWatermarkBytes: 1e6 };
    const short = await startApi({ memory: false, dataDir, ...limits });
    try {
      await short.call('PUT', '/users/reader', { password: 'reader', tags: 'management' });
      page = await logIn(browser, short.url, []);
      for (const section of ['Definitions', 'Topology', 'Access']) {
        await page.getByRole('link', { name: section, exact: true }).click();
        await page.getByRole('heading', { name: section, level: 1 }).waitFor();
        const disk = await page.getByRole('alert').filter({ hasText: 'Disk alarm' }).textContent();
        expect(disk).toContain('free, the limit is');
        expect(disk).toContain('or lower disk_free_limit');
        expect(disk).not.toContain('raise');
        const memory = page.getByRole('alert').filter({ hasText: 'Memory alarm' });
        await expect.poll(() => memory.textContent()).toContain('raise vm_memory_high_watermark');
      }
      const seen = await short.call('GET', '/leveret/status', undefined, 'reader:reader');
      expect(seen.json).toMatchObject({ alarms: [{ resource: 'memory' }, { resource: 'disk' }] });
      expect(seen.text).not.toContain('limit');
    } finally {
      await short.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
