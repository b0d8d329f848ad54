// Owns the tests of what the page of a queue says of messages that it lost, in a real browser. Left out where there is
// none.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, Stage } from './stage.ts';

describe.skipIf(!hasBrowser)('the web UI and what is lost', () => {
  let stage: Stage;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(async () => {
    await stage?.leave(page);
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(() => stage?.close());

  test('a queue says how many messages it lost, handed on and refused, and why', async () => {
    const channel = await (await stage.client('losses')).createConfirmChannel();
    const declare = (queue: string, args: object) =>
      stage.api.call('PUT', `/queues/%2F/${queue}`, { durable: true, arguments: args });
    await declare('letters', {});
    await declare('ring', { 'x-max-length': 2 });
    await declare('handed-on', {
      'x-max-length': 1,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'letters',
    });
    await declare('full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    for (const queue of ['ring', 'handed-on', 'full', 'letters']) {
      for (let n = 0; n < 5; n++) channel.sendToQueue(queue, Buffer.from('x'));
    }
    await channel.waitForConfirms().catch(() => {});
    const message = await channel.get('ring');
    if (message !== false) channel.nack(message, false, false);
    const facts = () => page.locator('dl').allTextContents();
    page = await stage.page(complaints);
    const open = async (queue: string): Promise<void> => {
      await page.goto(`${stage.api.url}/#/queue/%2F/${queue}`);
      await page.getByRole('heading', { name: queue, exact: true }).waitFor();
    };
    await open('ring');
    await expect
      .poll(facts)
      .toEqual([expect.stringContaining('Lost4 messages: 3 over the length limit, 1 rejected')]);
    await open('handed-on');
    await expect
      .poll(facts)
      .toEqual([expect.stringContaining('Dead-lettered4 messages: 4 over the length limit')]);
    await open('full');
    await expect
      .poll(facts)
      .toEqual([expect.stringContaining('Refused4 messages while it was full')]);
    await open('letters');
    await expect.poll(facts).toEqual([expect.not.stringMatching(/Lost|Dead-lettered|Refused/)]);
  });
});
