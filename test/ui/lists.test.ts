// What the lists of the web UI let a reader choose: columns, a vhost for all pages, many queues at once, and a pause.
// In a real browser; left out where there is none.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, Stage } from './stage.ts';

describe.skipIf(!hasBrowser)('lists of the web UI', () => {
  let stage: Stage;
  let page: Page;

  beforeAll(async () => {
    stage = await Stage.open();
    await stage.api.call('PUT', '/vhosts/other', {});
    await stage.api.call('PUT', '/queues/other/elsewhere', {});
  });
  afterEach(() => stage?.leave(page));
  afterAll(() => stage?.close());

  const open = (hash: string) => page.goto(`${stage.api.url}/#${hash}`);
  const queue = (name: string) => stage.api.call('GET', `/queues/%2F/${name}`);
  const heads = () => page.locator('thead th').allTextContents();

  test('columns are chosen, and the browser keeps the choice', async () => {
    page = await stage.page([]);
    await open('/queues');
    await page.getByText('Columns', { exact: true }).click();
    await page.getByLabel('Capacity').check();
    await page.getByLabel('Oldest').uncheck();
    await expect.poll(() => heads()).toContain('Capacity');
    await page.reload();
    await page.getByRole('link', { name: 'elsewhere' }).waitFor();
    await expect.poll(() => heads()).toContain('Capacity');
    await expect.poll(() => heads()).not.toContain('Oldest');
  });

  test('the vhost that is chosen holds on every page, and one that is gone is told of', async () => {
    await stage.api.call('PUT', '/queues/%2F/here', {});
    page = await stage.page([]);
    await page.getByLabel('Vhost shown').selectOption('other');
    await open('/queues');
    await page.getByRole('link', { name: 'elsewhere' }).waitFor();
    await expect.poll(() => page.getByRole('link', { name: 'here', exact: true }).count()).toBe(0);
    await open('/topology');
    await page.locator('svg.topology a', { hasText: 'elsewhere' }).waitFor();
    await open('/exchanges');
    await page.getByRole('link', { name: 'amq.topic' }).first().waitFor();
    await expect.poll(() => page.getByRole('link', { name: 'amq.topic' }).count()).toBe(1);
    await open('/queues?vhost=nowhere');
    await page.getByText('There is no vhost "nowhere".').waitFor();
    await page.getByLabel('Vhost shown').selectOption('');
    await page.getByRole('link', { name: 'here', exact: true }).waitFor();
  });

  test('many queues are purged and deleted after a list of what will happen, with a result for each', async () => {
    for (const name of ['bulk-a', 'bulk-b', 'bulk-c']) {
      await stage.api.call('PUT', `/queues/%2F/${name}`, {});
      await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
        ...{ routing_key: name, payload: 'x', payload_encoding: 'string', properties: {} },
      });
    }
    page = await stage.page([]);
    await open('/queues?name=bulk-');
    await page.getByLabel('Select bulk-a').check();
    await page.getByLabel('Select bulk-b').check();
    await page.getByText('2 selected').waitFor();
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Purge', exact: true }).click();
    await dialog.getByText('2 ready messages will be lost').waitFor();
    await dialog.getByText('bulk-a (/) loses 1 ready message').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => page.getByText('2 selected').isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Purge', exact: true }).click();
    await dialog.getByRole('button', { name: 'Purge 2 queues' }).click();
    await dialog.getByText('2 done, 0 failed.').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    expect((await queue('bulk-a')).json).toMatchObject({ messages: 0 });
    expect((await queue('bulk-c')).json).toMatchObject({ messages: 1 });
    await page.getByLabel('Select all of this page').check();
    await page.getByText('3 selected').waitFor();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog.getByText('bulk-c (/) loses 1 message, cancels 0 consumers').waitFor();
    // One of them is gone before the button is pressed.
    await stage.api.call('DELETE', '/queues/%2F/bulk-b');
    await dialog.getByRole('button', { name: 'Delete 3 queues' }).click();
    await dialog.getByText('2 done, 1 failed.').waitFor();
    await expect
      .poll(() => dialog.locator('li', { hasText: 'bulk-b' }).textContent())
      .toContain('✗');
    await expect
      .poll(() => dialog.locator('li', { hasText: 'bulk-c' }).textContent())
      .toContain('✓ deleted');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('No name matches.').waitFor();
  });

  test('a queue is paused and resumed, and says so', async () => {
    await stage.api.call('PUT', '/queues/%2F/held', {});
    page = await stage.page([]);
    await open('/queue/%2F/held');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByText('This queue is paused.').waitFor();
    expect((await queue('held')).json).toMatchObject({ state: 'paused' });
    await open('/queues');
    await page.locator('tr', { hasText: 'held' }).getByText('paused').waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('This queue is paused.').waitFor({ state: 'detached' });
    expect((await queue('held')).json).toMatchObject({ state: 'running' });
  });

  test('all sections are in sight at every width above that of a phone', async () => {
    page = await stage.page([], { width: 1250, height: 800 });
    const links = page.locator('#nav a');
    await links.last().waitFor();
    for (const width of [1250, 1100, 1024, 900, 770]) {
      await page.setViewportSize({ width, height: 800 });
      await expect
        .poll(() =>
          page.evaluate(`[...document.querySelectorAll('#nav a')].filter((link) => {
        const { left, top, width, height } = link.getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2) !== link;
      }).map((link) => link.textContent)`),
        )
        .toEqual([]);
    }
    await expect.poll(() => links.allTextContents()).toContain('Log');
  });

  test('addresses as RabbitMQ has them open what they name', async () => {
    await stage.api.call('PUT', '/queues/%2F/named', {});
    page = await stage.page([]);
    await open('/queues/%2F/named');
    await page.getByRole('heading', { name: 'named', level: 1 }).waitFor();
    await open('/exchanges/%2F/amq.topic');
    await page.getByRole('heading', { name: 'amq.topic', level: 1 }).waitFor();
    await open('/users/guest');
    await page.getByRole('heading', { name: 'guest', level: 1 }).waitFor();
  });

  test('the dialogs of one queue say how many messages go, and get no fewer than one', async () => {
    await stage.api.call('PUT', '/queues/%2F/counted', {});
    for (const payload of ['a', 'b'])
      await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
        ...{ routing_key: 'counted', payload, payload_encoding: 'string', properties: {} },
      });
    page = await stage.page([]);
    await open('/queue/%2F/counted');
    const dialog = page.getByRole('dialog');
    const close = async () => {
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await dialog.waitFor({ state: 'detached' });
    };
    await page.getByRole('button', { name: 'Purge', exact: true }).click();
    await dialog.getByText('2 ready messages will be lost').waitFor();
    await close();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog.getByText('lost with 2 messages and its bindings; 0 consumers').waitFor();
    await close();
    await page.getByRole('button', { name: 'Get', exact: true }).click();
    await dialog.getByLabel('How many').fill('0');
    await dialog.getByRole('button', { name: 'Get', exact: true }).click();
    await dialog.getByText('It must be 1 or more.').waitFor();
    await close();
  });

  test('an import of what is no JSON, or no object, says where and what', async () => {
    page = await stage.page([]);
    await open('/definitions');
    for (const [text, said] of [
      ['{x', 'this is not JSON (line 1, column 2): correct broken.json'],
      ['[]', 'a JSON object is wanted, and this is a list: correct broken.json'],
    ] as const) {
      await page.getByLabel('A file of definitions').setInputFiles({
        name: 'broken.json',
        mimeType: 'application/json',
        buffer: Buffer.from(text),
      });
      await page.getByRole('button', { name: 'Import' }).click();
      await page.getByText(said).waitFor();
    }
  });

  test('a phone has all sections behind a menu, and no page that runs off its edge', async () => {
    page = await stage.page([], { width: 390, height: 844 });
    const nav = page.getByRole('navigation');
    await expect.poll(() => nav.isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Menu' }).click();
    await nav.getByRole('link', { name: 'Access' }).click();
    await page.getByRole('heading', { name: 'Access', level: 1 }).waitFor();
    await expect.poll(() => nav.isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Change' }).first().waitFor();
    const cut = await page
      .locator('main button')
      .evaluateAll(
        (buttons) => buttons.filter((each) => each.getBoundingClientRect().right > 390).length,
      );
    expect(cut).toBe(0);
  });
});
