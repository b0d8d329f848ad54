// Owns the tests of what the web UI shows of messages that wait for their time, in a real browser. Left out where there
// is none.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, Stage } from './stage.ts';

const HOUR = 3_600_000;

describe.skipIf(!hasBrowser)('the web UI and what waits', () => {
  let stage: Stage;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    stage = await Stage.open();
    await stage.api.call('PUT', '/queues/%2F/idle', { durable: true });
    await stage.api.call('PUT', '/queues/%2F/jobs', {
      durable: true,
      arguments: {
        'x-delayed-retry-min': 3000,
        'x-delayed-retry-multiplier': 2,
        'x-delivery-limit': 4,
        'x-dead-letter-exchange': 'failed',
        'x-delivery-rate': '50/60s',
      },
    });
  });
  afterEach(async () => {
    await stage?.leave(page);
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(() => stage?.close());

  const open = (hash: string) => page.goto(`${stage.api.url}/#${hash}`);
  const wait = async (bodies: readonly string[]): Promise<void> => {
    const channel = await (await stage.client('waits')).createConfirmChannel();
    for (const [n, body] of bodies.entries()) {
      channel.sendToQueue('jobs', Buffer.from(body), { headers: { 'x-delay': (n + 1) * HOUR } });
    }
    await channel.waitForConfirms();
  };
  const heads = () => page.locator('thead th').allTextContents();

  test('a queue says how many wait, when the next is due, and what it does with what comes back', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByRole('link', { name: 'jobs' }).waitFor();
    await expect.poll(() => heads()).not.toContain('Delayed');
    await wait(['first']);
    await expect.poll(() => heads()).toContain('Delayed');
    await page.getByRole('link', { name: 'jobs' }).click();
    await page.locator('.tile', { hasText: /^1delayed, the next in (60 min|1\.0 h)$/ }).waitFor();
    await page
      .getByText('What comes back waits 3 s, then 6 s, 12 s, 24 s, up to 5 attempts')
      .waitFor();
    await page.getByText('50 in 60 s at most.').waitFor();
    await stage.api.call('PUT', '/queues/%2F/tenants', {
      durable: true,
      arguments: { 'x-group-header': 'tenant' },
    });
    await open('/queue/%2F/tenants');
    await page
      .getByText('Groups by the header tenant in turns, 1 unacked at a time of each. 0 groups')
      .waitFor();
    await open('/queue/%2F/idle');
    await page.getByText('is ready again at once, as often as it comes back.').waitFor();
    await page.locator('.tile', { hasText: /^0delayed$/ }).waitFor();
    await expect.poll(() => page.getByRole('heading', { name: /^Waiting/ }).count()).toBe(0);
    await stage.api.call('POST', '/queues/%2F/jobs/delayed', { action: 'drop' });
  });

  test('messages that wait are sent and dropped, one, many and all, and a drop is asked for', async () => {
    await wait(['one', 'two', '<b>three</b>', 'four', `long ${'x'.repeat(400)}`]);
    page = await stage.page(complaints);
    await open('/queue/%2F/jobs');
    const heading = (text: string) =>
      page.getByRole('heading', { name: `Waiting for their time: ${text}`, exact: true }).waitFor();
    const row = (body: string) => page.getByRole('row').filter({ hasText: body });
    const question = page.getByRole('dialog');
    const ready = async (): Promise<number> => {
      const { json } = await stage.api.call('GET', '/queues/%2F/jobs');
      return (json as { messages_ready: number }).messages_ready;
    };
    await heading('5 messages');
    await expect.poll(() => row('long').textContent()).toContain('x … 405 B');
    await row('one').getByRole('button', { name: 'Send now' }).press('Enter');
    await heading('4 messages');
    await expect.poll(ready).toBe(1);

    await row('<b>three</b>').getByRole('button', { name: 'Drop' }).press('Enter');
    await question.getByText('This cannot be undone').waitFor();
    await question.getByRole('button', { name: 'Cancel' }).press('Enter');
    await row('<b>three</b>').getByRole('button', { name: 'Drop' }).press('Enter');
    await question.getByRole('button', { name: 'Drop' }).press('Enter');
    await heading('3 messages');

    await row('two').getByRole('checkbox').check();
    await row('four').getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Send these now' }).press('Enter');
    await heading('1 message');
    await expect.poll(ready).toBe(3);

    await page.getByRole('button', { name: 'Drop all' }).press('Enter');
    await question.getByRole('button', { name: 'Drop' }).press('Enter');
    await page.getByRole('heading', { name: /^Waiting/ }).waitFor({ state: 'hidden' });
    await expect.poll(ready).toBe(3);
  });

  test('what decides the delays is entered by click, and a jitter need not be whole', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByRole('button', { name: 'Declare a queue' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('entered');
    for (const [name, value] of [
      ['x-message-delay', '500'],
      ['x-delayed-retry-min', '2000'],
      ['x-delayed-retry-jitter', '1.5'],
    ] as const) {
      await dialog.getByLabel('Add an argument').selectOption(name);
      await dialog.getByLabel(name, { exact: true }).fill(value);
    }
    await dialog.getByRole('button', { name: 'Declare' }).click();
    await dialog.getByText('It must be 1 or less.').waitFor();
    await dialog.getByLabel('x-delayed-retry-jitter', { exact: true }).fill('0.2');
    await dialog.getByRole('button', { name: 'Declare' }).click();
    await dialog.waitFor({ state: 'detached' });
    const { json } = await stage.api.call('GET', '/queues/%2F/entered');
    expect(json).toMatchObject({
      arguments: {
        'x-message-delay': 500,
        'x-delayed-retry-min': 2000,
        'x-delayed-retry-jitter': 0.2,
      },
    });
  });
});
