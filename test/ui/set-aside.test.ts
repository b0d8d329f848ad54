// Owns the tests of the pages about what is set aside, in a real browser. Left out where there is none.

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type AsideStage,
  setMessagesAside,
  setQueueAside,
  startAside,
} from '../management/aside.ts';
import { HOSTILE, hasBrowser, launch, logIn } from './stage.ts';

describe.skipIf(!hasBrowser)('the web UI and what is set aside', () => {
  let stage: AsideStage;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    stage = await startAside({ statisticsIntervalMs: 500 });
    browser = await launch();
    for (const name of ['work', 'lost', ...HOSTILE]) {
      await stage.api.call('PUT', `/queues/%2F/${encodeURIComponent(name)}`, { durable: true });
    }
  });
  afterEach(async () => {
    await page?.close();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.api.close();
  });

  const open = (hash: string) => page.goto(`${stage.api.url}/#${hash}`);
  const idsIn = async (name: string): Promise<string[]> => {
    const { json } = await stage.api.call('GET', `/queues/%2F/${name}/set-aside`);
    return (json as { id: string }[]).map(({ id }) => id);
  };

  test('messages of a queue are exported, put back and dropped, by the keyboard alone', async () => {
    await setMessagesAside(stage, 'work', ['one', 'two', 'three'], '<b>unreadable</b>');
    const [first, second, third] = (await idsIn('work')) as [string, string, string];
    page = await logIn(browser, stage.api.url, complaints);
    const banner = page.getByRole('alert').filter({ hasText: 'Set aside' });
    await banner.waitFor();
    await expect
      .poll(() => banner.textContent())
      .toContain('Set aside and not served: 3 messages.');
    await banner.getByRole('link').press('Enter');
    await page.getByRole('heading', { name: 'Set aside' }).waitFor();
    await page.getByRole('link', { name: 'work' }).first().press('Enter');
    await page.getByRole('heading', { name: 'Set aside: 3 messages' }).waitFor();
    const row = (id: string) => page.getByRole('row').filter({ hasText: `message ${id}` });
    await expect
      .poll(() => row(first).textContent())
      .toContain('delivery: Error: <b>unreadable</b>');

    await row(first).getByRole('button', { name: 'Export' }).press('Enter');
    const shown = page.getByRole('dialog');
    await shown.getByRole('link', { name: 'Save as a file' }).waitFor();
    await expect.poll(() => shown.textContent()).toContain('"payload": "one"');
    await page.keyboard.press('Escape');

    await row(first).getByRole('button', { name: 'Try again' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Try again' }).press('Enter');
    await page.getByRole('heading', { name: 'Set aside: 2 messages' }).waitFor();

    await row(second).getByRole('button', { name: 'Drop' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).press('Enter');
    await expect.poll(() => idsIn('work')).toEqual([second, third]);
    await row(second).getByRole('button', { name: 'Drop' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Drop' }).press('Enter');
    await page.getByRole('heading', { name: 'Set aside: 1 message' }).waitFor();
    await expect.poll(() => idsIn('work')).toEqual([third]);

    await page.getByRole('button', { name: 'Drop all' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Drop' }).press('Enter');
    await page.getByRole('heading', { name: /^Set aside/ }).waitFor({ state: 'hidden' });
    expect(stage.server.broker.vhost('/').queues.get('work')?.readyCount).toBe(1);
    await open('/');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.locator('.tile').first().waitFor();
    await expect.poll(() => banner.count()).toBe(0);
  });

  test('a definition that is set aside is dropped after a question', async () => {
    setQueueAside(stage, 'lost', 'its page is damaged');
    page = await logIn(browser, stage.api.url, complaints);
    await page.getByText('Set aside and not served: 1 definition.').waitFor();
    await open('/set-aside');
    await page.getByText('start: Error: its page is damaged').waitFor();
    await page.getByRole('button', { name: 'Drop' }).click();
    const question = page.getByRole('dialog');
    await expect
      .poll(() => question.textContent())
      .toContain('All messages of the queue are lost with it');
    await question.getByRole('button', { name: 'Drop' }).click();
    await page.getByText('Nothing is set aside.').waitFor();
    expect(stage.server.broker.core.setAsideRows.count).toBe(0);
  });

  test('names and errors are text, whatever stands in them, on a phone too', async () => {
    for (const name of HOSTILE) await setMessagesAside(stage, name, ['x'], HOSTILE[0] as string);
    page = await logIn(browser, stage.api.url, complaints, { width: 390, height: 844 });
    for (const name of HOSTILE) {
      await open('/set-aside');
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('heading', { name, exact: true }).waitFor();
      await page.getByRole('heading', { name: 'Set aside: 1 message' }).waitFor();
      await page.getByRole('button', { name: 'Drop', exact: true }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Drop' }).click();
      await page.getByRole('heading', { name: /^Set aside/ }).waitFor({ state: 'hidden' });
    }
    await expect.poll(() => page.evaluate('window.hacked')).toBeUndefined();
    await expect.poll(() => page.locator('main img, main script').count()).toBe(0);
    const wide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
    await expect.poll(() => page.evaluate(wide)).toBe(false);
  });
});
