// What the pages of the web UI show of the past, of dead letters, of ways that messages take, and of the log. In a real
// browser; left out where there is none.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { STUCK } from '../../src/broker/republish/redrive.ts';
import { startApi } from '../management/support.ts';
import { hasBrowser, logIn, Stage } from './stage.ts';

describe.skipIf(!hasBrowser)('looks of the web UI', () => {
  let stage: Stage;
  let page: Page;

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(() => stage?.leave(page));
  afterAll(() => stage?.close());

  const open = (hash: string) => page.goto(`${stage.api.url}/#${hash}`);
  const put = (path: string, body: object) => stage.api.call('PUT', path, body);

  test('charts ask the broker for the past, and keep the range that was chosen', async () => {
    page = await stage.page([]);
    const asked = page.waitForRequest(/overview\?.*lengths_age=3600/);
    await page.getByRole('button', { name: '1 h', exact: true }).click();
    const row = (await (await (await asked).response())?.json()) as {
      queue_totals: { messages_ready_details: { samples: object[] } };
    };
    expect(row.queue_totals.messages_ready_details.samples.length).toBeGreaterThan(100);
    await page.locator('.chart canvas').first().waitFor();
    await put('/queues/%2F/charted', {});
    const ofQueue = page.waitForRequest(/queues\/%2F\/charted\?.*msg_rates_age=3600/);
    await open('/queue/%2F/charted');
    await ofQueue;
    const pressed = page.locator('.ranges button[aria-pressed="true"]');
    await expect.poll(() => pressed.textContent()).toBe('1 h');
  });

  test('below another path, the pages and their charts ask there for all they need', async () => {
    const api = await startApi({ managementPathPrefix: '/mq', statisticsIntervalMs: 500 });
    const complaints: string[] = [];
    page = await logIn(stage.browser, `${api.url}/mq`, complaints);
    await page.locator('.chart canvas').first().waitFor();
    await page.goto(`${api.url}/mq/#/queues`);
    await page.getByRole('heading', { name: 'Queues' }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
    await api.close();
  });

  test('the keyboard skips the navigation, and stays on the page', async () => {
    page = await stage.page([]);
    await open('/queues');
    await page.getByRole('heading', { name: 'Queues' }).waitFor();
    await page.getByRole('link', { name: 'Skip to the content' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('main');
    expect(new URL(page.url()).hash).toBe('#/queues');
  });

  test('a dead letter says why and where it died, in plain words', async () => {
    await put('/queues/%2F/<b>graves', {});
    const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': '<b>graves' };
    await put('/queues/%2F/<i>jobs', { arguments: dead });
    await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
      ...{ routing_key: '<i>jobs', payload: 'x', payload_encoding: 'string', properties: {} },
    });
    await stage.api.call('POST', '/queues/%2F/<i>jobs/get', {
      ...{ count: 1, ackmode: 'reject_requeue_false', encoding: 'auto' },
    });
    page = await stage.page([]);
    await open(`/queue/%2F/${encodeURIComponent('<b>graves')}`);
    await page.getByRole('button', { name: 'Browse' }).click();
    const death = await page.locator('.death').textContent();
    expect(death).toContain('Died in the queue "<i>jobs": a consumer rejected it');
    expect(death).toContain('from the default exchange with the key "<i>jobs"');
    // What cannot go back says so in the broker's words.
    await stage.api.call('DELETE', '/queues/%2F/<i>jobs');
    await page.getByRole('button', { name: 'Redrive or move' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
    await page.getByText(`0 moved, 1 left; 1 stay: ${STUCK.no_queue}`).waitFor();
  });

  test('the picture of a vhost has dead letters, alternates and keys between exchanges, and says what is missing', async () => {
    await put('/vhosts/drawn', {});
    await put('/exchanges/drawn/first', {
      type: 'topic',
      arguments: { 'alternate-exchange': 'lost' },
    });
    await put('/exchanges/drawn/second', { type: 'fanout' });
    await put('/exchanges/drawn/lost', { type: 'fanout' });
    await put('/queues/drawn/jobs', { arguments: { 'x-dead-letter-exchange': 'second' } });
    await put('/queues/drawn/other', { arguments: { 'x-dead-letter-exchange': 'nowhere' } });
    await stage.api.call('POST', '/bindings/drawn/e/first/e/second', { routing_key: '<key>' });
    page = await stage.page([]);
    await open('/topology/drawn');
    await page.locator('svg.topology .dead', { hasText: 'jobs → second: dead letters' }).waitFor();
    await page.locator('svg.topology .alternate', { hasText: 'first → lost' }).waitFor();
    await expect
      .poll(() => page.locator('svg.topology text.key').allTextContents())
      .toContain('<key>');
    await page.getByText('Dead letters of "other" are dropped: there is no exchange').waitFor();
  });

  test('the log is filtered by level and text, and its lines are text', async () => {
    await stage.client('<img src=x onerror="window.hacked=1">');
    const { json } = await stage.api.call('GET', '/connections');
    const [{ name }] = json as [{ name: string }];
    page = await stage.page([]);
    await open('/log');
    const opened = page.locator('tr', { hasText: 'client=<img src=x' });
    await opened.waitFor();
    await stage.api.call('DELETE', `/connections/${encodeURIComponent(name)}`);
    await page.getByLabel('Level').selectOption('warn');
    await opened.waitFor({ state: 'detached' });
    await page.getByLabel('Filter the log by text').fill('THROUGH THE API');
    await page.getByText('connection closed through the API').waitFor();
    await page.getByLabel('Filter the log by text').fill('nothing like it');
    await page.getByText('No log line matches.').waitFor();
    await expect.poll(() => page.evaluate('window.hacked')).toBeUndefined();
    await put('/users/reader', { password: 'reader', tags: 'monitoring' });
    const seen = await stage.api.call('GET', '/leveret/log', undefined, 'reader:reader');
    expect(seen.status).toBe(401);
  });
});
