// Owns the tests of what the web UI shows of streams and of what reads them, in a real browser. Left out where there is none.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE, hasBrowser, Stage } from './stage.ts';

const STREAM = { 'x-queue-type': 'stream', 'x-max-age': '1h' };

describe.skipIf(!hasBrowser)('the web UI and streams', () => {
  let stage: Stage;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    stage = await Stage.open();
    await stage.api.call('PUT', '/queues/%2F/log', { durable: true, arguments: STREAM });
    const channel = await (await stage.client('publisher')).createConfirmChannel();
    for (let n = 0; n < 10; n++) channel.sendToQueue('log', Buffer.from(`event ${n}`));
    await channel.waitForConfirms();
  });
  afterEach(async () => {
    await stage?.leave(page);
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(() => stage?.close());

  const open = (hash: string) => page.goto(`${stage.api.url}/#${hash}`);
  const tile = (text: RegExp) => page.locator('.tile', { hasText: text }).waitFor();
  const row = (text: string) => page.getByRole('row').filter({ hasText: text });

  test('a stream shows its offsets and limits, and offers nothing that streams refuse', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByRole('row').filter({ hasText: 'log' }).getByText('stream').waitFor();
    await page.getByRole('link', { name: 'log', exact: true }).click();
    await tile(/^10messages$/);
    await tile(/^0first offset$/);
    await tile(/^9last offset$/);
    await tile(/^0groups with a place$/);
    await page.getByText('what is no older than 60 min').waitFor();
    await page.getByText('Nothing reads this stream now.').waitFor();
    const buttons = await page.locator('.head').getByRole('button').allTextContents();
    expect(buttons).toEqual(['Publish', 'Bind', 'Pause', 'Delete']);
  });

  test('a stream is looked at from an offset, a word or a time on', async () => {
    page = await stage.page(complaints);
    await open('/queue/%2F/log');
    const bodies = () => page.locator('article.message > pre').allTextContents();
    const events = (from: number, count: number): string[] =>
      Array.from({ length: count }, (_, n) => `event ${from + n}`);
    for (const [place, from] of [
      ['', 0],
      ['7', 7],
      ['-2', 8],
      ['last', 9],
      ['1h', 0],
    ] as const) {
      await page.getByLabel('From the offset or time').fill(place);
      await page.getByRole('button', { name: 'Browse' }).click();
      await expect.poll(() => bodies()).toEqual(events(from, 10 - from));
    }
    await page.getByLabel('From the offset or time').fill('3');
    await page.getByLabel('Filter value').fill('none');
    await page.getByRole('button', { name: 'Browse' }).click();
    await expect.poll(() => bodies()).toEqual([]);
  });

  test('readers and groups are shown with their lag, and the places of groups set and forgotten', async () => {
    const group = HOSTILE[0] as string;
    const channel = await (await stage.client('reader')).createChannel();
    await channel.prefetch(4);
    const args = { 'x-stream-group': 'busy', 'x-stream-offset': 'first' };
    await channel.consume('log', () => {}, { consumerTag: 'reads', arguments: args });
    page = await stage.page(complaints);
    await open('/queue/%2F/log');
    const readers = page.getByRole('table', { name: 'Readers' });
    await expect.poll(() => readers.getByRole('row').nth(1).textContent()).toMatch(/^busyreads.*/);
    await row('reads').filter({ hasText: '10 messages' }).first().waitFor();

    const dialog = page.getByRole('dialog');
    const groups = page.getByRole('table', { name: 'Groups' });
    await page.getByRole('button', { name: 'Set the place of a group' }).click();
    await dialog.getByLabel('Group').fill(group);
    await dialog.getByLabel('Place').fill('-3');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByText(`${group} goes on at 7`).waitFor();
    const late = groups.getByRole('row').filter({ hasText: 'hacked' });
    await expect.poll(() => late.textContent()).toContain('3 messages');

    await late.getByRole('button', { name: 'Set place' }).click();
    await dialog.getByLabel('Place').fill('soon');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await dialog.getByText(/^time must be a time such as/).waitFor();
    await dialog.getByLabel('Place').fill('next');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await expect.poll(() => late.textContent()).toContain('none');

    await late.getByRole('button', { name: 'Forget' }).click();
    await dialog.getByRole('button', { name: 'Forget' }).click();
    await expect.poll(() => late.count()).toBe(0);

    // A group with consumers stays where it is, and the reason is said. Browsers complain of each answer of 400.
    await groups.getByRole('button', { name: 'Set place' }).click();
    await dialog.getByLabel('Place').fill('next');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await dialog
      .getByText("group 'busy' has consumers of stream 'log'", { exact: false })
      .waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(complaints.splice(0)).toEqual(Array(2).fill(expect.stringContaining('400')));
    await channel.close();
  });

  test('a stream is declared by click, with the arguments that streams have', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByRole('button', { name: 'Declare a queue' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('made');
    await dialog.getByLabel('Type').selectOption('stream');
    const add = dialog.getByLabel('Add an argument');
    await expect.poll(() => add.textContent()).not.toContain('x-message-ttl');
    await add.selectOption('x-max-age');
    await dialog.getByLabel('x-max-age', { exact: true }).fill('7D');
    await dialog.getByRole('button', { name: 'Declare' }).click();
    await page.getByRole('link', { name: 'made', exact: true }).waitFor();
    const { json } = await stage.api.call('GET', '/queues/%2F/made');
    expect(json).toMatchObject({ type: 'stream', limits: { max_age_ms: 7 * 86_400_000 } });
  });

  test('a purge of many queues leaves streams out', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByRole('link', { name: 'log', exact: true }).waitFor();
    await row('log').first().getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Purge' }).click();
    await page.getByText('Streams cannot be purged: delete them').waitFor();
  });
});
