// The web UI in a real browser, against a real broker. Where there is no Chromium the tests are left
// out, and say so; `.ci/run` installs one.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE, hasBrowser, patientPage, Stage } from './stage.ts';

if (!hasBrowser)
  console.warn('no Chromium: the tests of the web UI are left out (apt install chromium)');

describe.skipIf(!hasBrowser)('the web UI', () => {
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

  const open = async (hash: string): Promise<void> => {
    await page.goto(`${stage.api.url}/#${hash}`);
  };

  test('a wrong password is told of, and the right one opens the overview', async () => {
    page = await patientPage(stage.browser);
    await page.goto(stage.api.url);
    await page.getByLabel('User').fill('guest');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('password is wrong');
    await page.getByLabel('Password').fill('guest');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Password').waitFor();
    await expect.poll(() => page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('names of queues are text, whatever stands in them, and lead to their queues', async () => {
    for (const name of HOSTILE) {
      await stage.api.call('PUT', `/queues/%2F/${encodeURIComponent(name)}`, { durable: true });
      await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
        routing_key: name,
        payload: `<script>window.hacked=2</script>${name}`,
        payload_encoding: 'string',
        properties: { headers: { '<b>': '<i>' } },
      });
      await stage.api.call('POST', `/bindings/%2F/e/amq.topic/q/${encodeURIComponent(name)}`, {
        routing_key: name.slice(0, 40),
      });
    }
    page = await stage.page(complaints);
    for (const name of HOSTILE) {
      await open('/queues');
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('heading', { name, exact: true }).waitFor();
      await page.getByRole('button', { name: 'Browse' }).click();
      await page.locator('article pre').last().waitFor();
      await expect
        .poll(() => page.locator('article').textContent())
        .toContain('<script>window.hacked=2');
      await open('/topology');
      await page.locator('svg.topology a').first().waitFor();
    }
    await expect.poll(() => page.evaluate('window.hacked')).toBeUndefined();
    await expect.poll(() => page.locator('main img, main script').count()).toBe(0);
  });

  test('a queue is declared, published to, purged and deleted by the keyboard alone', async () => {
    page = await stage.page(complaints);
    await open('/queues');
    const press = async (name: string): Promise<void> => {
      // One of a dialog stands behind that of the page.
      const button = page.getByRole('button', { name, exact: true }).last();
      await button.focus();
      await page.keyboard.press('Enter');
    };
    await press('Declare a queue');
    const tile = (text: string) => page.locator('.tile', { hasText: text });
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).focus();
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'by keyboard' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'by keyboard' }).waitFor();
    await press('Publish');
    await dialog.getByLabel('Payload').focus();
    await page.keyboard.type('hello');
    await press('Publish');
    await tile('1messages ready').waitFor();
    // The page behind a dialog takes no keys.
    await dialog.waitFor({ state: 'detached' });
    await press('Get');
    await dialog.getByLabel('How many').focus();
    await page.keyboard.press('Enter');
    await page.getByText('1 got').waitFor();
    await page.keyboard.press('Escape');
    await press('Purge');
    await dialog.getByRole('button', { name: 'Purge' }).focus();
    await page.keyboard.press('Enter');
    await tile('0messages ready').waitFor();
    // The page behind a dialog takes no keys.
    await dialog.waitFor({ state: 'detached' });
    await press('Delete');
    await dialog.getByRole('button', { name: 'Delete' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Queues' }).waitFor();
    const left = await stage.api.call('GET', '/queues/%2F/by%20keyboard');
    expect(left.status).toBe(404);
    // A refresh of the page may be under way as the queue goes: the browser notes its answer of 404.
    const rest = complaints.splice(0).filter((text) => !text.includes('status of 404'));
    expect(rest).toEqual([]);
  });

  test('a connection is shown, closed with a reason, and found among those that closed', async () => {
    const client = await stage.client('<b>worker</b>');
    const closed = new Promise((resolve) => client.once('close', resolve));
    page = await stage.page(complaints);
    await open('/connections');
    await page.getByRole('link', { name: '<b>worker</b>' }).click();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason (sent to the client)').fill('tired <i>of</i> it');
    await dialog.getByRole('button', { name: 'Close it' }).click();
    await closed;
    await page.getByText('CONNECTION_FORCED - tired <i>of</i> it').first().waitFor();
  });

  test('what has the focus keeps it when the page is refreshed, and goes along when rows move', async () => {
    for (const name of ['focus-a', 'focus-b']) {
      await stage.api.call('PUT', `/queues/%2F/${name}`, { durable: true });
    }
    page = await stage.page(complaints);
    await open('/queues?name=focus-&sort=messages_ready&reverse=true');
    const link = page.getByRole('link', { name: 'focus-a' });
    await link.focus();
    await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
      routing_key: 'focus-b',
      payload: 'x',
      payload_encoding: 'string',
      properties: {},
    });
    await page.locator('tbody tr:first-child', { hasText: 'focus-b' }).waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('focus-a');
    await stage.api.call('POST', '/exchanges/%2F/amq.default/publish', {
      routing_key: 'focus-a',
      payload: 'x',
      payload_encoding: 'string',
      properties: {},
    });
    await page.locator('tr[data-key="//focus-a"]', { hasText: '1' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'focus-a' }).waitFor();
  });

  test('queues are filtered, sorted and turned over, and the way back keeps all that', async () => {
    for (let i = 0; i < 61; i++) {
      await stage.api.call('PUT', `/queues/%2F/many-${String(i).padStart(2, '0')}`, {});
    }
    page = await stage.page(complaints);
    await open('/queues');
    await page.getByLabel('Filter queues by name').fill('many-');
    await page.getByText('61 of').waitFor();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(50);
    await page.getByRole('button', { name: 'Name' }).click();
    await page.getByRole('link', { name: 'many-60' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'many-00' }).click();
    await page.getByRole('heading', { name: 'many-00' }).waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'many-00' }).waitFor();
    await expect.poll(() => page.getByLabel('Filter queues by name').inputValue()).toBe('many-');
    await page.getByLabel('regular expression').check();
    await page.getByLabel('Filter queues by name').fill('many-(');
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Filter queues by name').fill('many-[23]0');
    await page.getByText('2 of').waitFor();
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    await page.getByLabel('Filter queues by name').fill('none such');
    await page.getByText('No name matches.').waitFor();
    // The pattern that was refused is an answer of 400, which the browser notes.
    complaints.splice(0);
  });

  test('an exchange is bound to a queue on its page, and the topology draws the line', async () => {
    await stage.api.call('PUT', '/exchanges/%2F/drawn', { type: 'direct' });
    await stage.api.call('PUT', '/queues/%2F/drawn-to', {});
    page = await stage.page(complaints);
    await open('/exchange/%2F/drawn');
    await page.getByRole('button', { name: 'Bind', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Its name').fill('drawn-to');
    await dialog.getByLabel('Binding key').fill('<key>');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'drawn-to' }).waitFor();
    await open('/topology');
    await page.locator('svg.topology .binding', { hasText: 'drawn → drawn-to: <key>' }).waitFor();
  });

  test('a user whose tags change keeps the password, and a vhost gets a limit', async () => {
    await stage.api.call('PUT', '/users/<b>ann', { password: 'secret', tags: '' });
    page = await stage.page(complaints);
    await open('/access');
    const row = page.locator('tr', { hasText: '<b>ann' });
    await row.getByRole('button', { name: 'Change' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('monitoring').check();
    await dialog.getByRole('button', { name: 'Change' }).click();
    await row.getByText('monitoring').waitFor();
    const login = `Basic ${Buffer.from('<b>ann:secret').toString('base64')}`;
    const whoami = await fetch(`${stage.api.url}/api/whoami`, {
      headers: { authorization: login },
    });
    expect(whoami.status).toBe(200);
    const setLimit = async (of: string, label: string): Promise<void> => {
      const button = page.locator('tr', { hasText: of }).getByRole('button', { name: 'Limits' });
      await button.click();
      await dialog.getByLabel(label).fill('5000');
      await page.keyboard.press('Enter');
      await dialog.waitFor({ state: 'detached' });
    };
    await stage.api.call('PUT', '/vhosts/limited', {});
    await page.locator('td', { hasText: 'limited' }).first().waitFor();
    await setLimit('limited', 'Queues');
    await setLimit('<b>ann', 'Channels');
    const limits = await stage.api.call('GET', '/vhost-limits/limited');
    expect(limits.json).toEqual([{ vhost: 'limited', value: { 'max-queues': 5000 } }]);
    const ofUser = await stage.api.call('GET', '/user-limits/%3Cb%3Eann');
    expect(ofUser.json).toEqual([{ user: '<b>ann', value: { 'max-channels': 5000 } }]);
  });

  test('a permission and a policy are changed where they stand', async () => {
    await stage.api.call('PUT', '/users/bob', { password: 'secret', tags: '' });
    const pattern = { configure: '^bob', write: '.*', read: '.*' };
    await stage.api.call('PUT', '/permissions/%2F/bob', pattern);
    const policy = { pattern: '^p', 'apply-to': 'exchanges', priority: 3 };
    const definition = { 'alternate-exchange': 'amq.fanout' };
    await stage.api.call('PUT', '/policies/%2F/mine', { ...policy, definition });
    page = await stage.page(complaints);
    const dialog = page.getByRole('dialog');
    const change = async (row: string, label: string, value: string): Promise<void> => {
      const button = page.locator('tr', { hasText: row }).getByRole('button', { name: 'Change' });
      await button.last().click();
      await dialog.getByLabel(label).fill(value);
      await dialog.getByRole('button', { name: 'Change', exact: true }).click();
      await dialog.waitFor({ state: 'detached' });
    };
    await open('/access');
    await change('^bob', 'Read', '^all');
    const granted = await stage.api.call('GET', '/permissions/%2F/bob');
    expect(granted.json).toMatchObject({ ...pattern, read: '^all' });
    await open('/policies');
    await change('mine', 'Pattern', '^q');
    const changed = await stage.api.call('GET', '/policies/%2F/mine');
    expect(changed.json).toMatchObject({ ...policy, pattern: '^q', definition });
  });

  test('a setting is changed and unset, with where it came from; a secret is not shown', async () => {
    page = await stage.page(complaints);
    await open('/settings');
    const row = page.locator('tr', { hasText: 'heartbeat' });
    await row.getByText('default', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Change' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Value').fill('soon');
    await dialog.getByRole('button', { name: 'Change', exact: true }).click();
    await dialog.getByText('heartbeat: expected a whole number of seconds').waitFor();
    await dialog.getByLabel('Value').fill('25');
    await dialog.getByRole('button', { name: 'Change', exact: true }).click();
    await row.getByText('set by guest at').waitFor();
    await row.getByRole('button', { name: 'Unset' }).click();
    await row.getByText('default', { exact: true }).waitFor();
    const secret = page.locator('tr', { hasText: 'default_pass' }).first();
    await expect.poll(() => secret.textContent()).toContain('***');
    await expect
      .poll(() => page.locator('tr', { hasText: 'node.name' }).getByRole('button').count())
      .toBe(0);
    // The browser itself notes that a value was refused.
    expect(complaints.splice(0)).toHaveLength(1);
  });

  test('definitions are brought in without what cannot be taken, which is listed', async () => {
    page = await stage.page(complaints);
    await open('/definitions');
    const args = { 'x-queue-type': 'odd' };
    const queues = [{ name: 'an-odd-one', vhost: '/', durable: true, arguments: args }];
    const buffer = Buffer.from(JSON.stringify({ queues }));
    const file = { name: 'a.json', mimeType: 'application/json', buffer };
    await page.getByLabel('A file of definitions').setInputFiles(file);
    const bring = page.getByRole('button', { name: 'Import' });
    await bring.click();
    const cause = "there are no queues of type 'odd' here";
    await page.getByRole('alert').filter({ hasText: cause }).waitFor();
    await page.getByLabel('Skip unsupported items').check();
    await bring.click();
    await page
      .getByRole('listitem')
      .filter({ hasText: `is left out: ${cause}` })
      .waitFor();
    expect(complaints.splice(0)).toHaveLength(1);
  });

  test('who is no administrator is not led where the broker would refuse', async () => {
    await stage.api.call('PUT', '/users/reader', { password: 'reader', tags: 'management' });
    page = await patientPage(stage.browser);
    await page.goto(stage.api.url);
    await page.getByLabel('User').fill('reader');
    await page.getByLabel('Password').fill('reader');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await expect
      .poll(() => page.locator('#nav a').allTextContents())
      .toEqual(['Overview', 'Queues', 'Exchanges', 'Topology', 'Connections']);
    await open('/access');
    await page.getByText('Not administrator user').first().waitFor();
    await open('/%');
    await page.getByRole('heading', { name: 'No such page' }).waitFor();
  });

  /** The placeholders that are wider than their inputs. */
  const cutPlaceholders = () =>
    page.evaluate(`[...document.querySelectorAll('input[placeholder]')]
      .filter((input) => {
        const { font, paddingLeft, paddingRight } = getComputedStyle(input);
        const pen = Object.assign(document.createElement('canvas').getContext('2d'), { font });
        const room = input.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        return input.checkVisibility() && pen.measureText(input.placeholder).width > room;
      })
      .map((input) => input.placeholder)`);

  test('the picture of a vhost keeps its size on a phone, in a frame that scrolls', async () => {
    await stage.api.call('PUT', '/queues/%2F/pictured', {});
    page = await stage.page(complaints, { width: 390, height: 844 });
    await open('/topology');
    await page.locator('svg.topology').waitFor();
    const scale = () => page.evaluate("document.querySelector('svg.topology').getScreenCTM().a");
    await expect.poll(scale).toBe(1);
    const more = 'document.querySelector(".scroll").scrollWidth > innerWidth';
    await expect.poll(() => page.evaluate(more)).toBe(true);
    await expect
      .poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth'))
      .toBe(0);
  });

  test('every page opens, in the dark and on a phone, without scrolling sideways', async () => {
    page = await stage.page(complaints, { dark: true, width: 390, height: 844 });
    const pages = [
      '',
      'queues',
      'exchanges',
      'topology',
      'connections',
      'access',
      'policies',
      'schedules',
      'definitions',
      'settings',
      'log',
      'queue/%2F/drawn-to',
    ];
    for (const name of pages) {
      await open(`/${name}`);
      await page.locator('main h1').first().waitFor();
      await page.waitForTimeout(200);
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(`${name}: ${wide}`).toBe(`${name}: 0`);
      await expect.poll(() => cutPlaceholders(), { message: name }).toEqual([]);
    }
    await open('/access');
    await page.getByRole('button', { name: 'Add a user' }).click();
    await page.getByRole('dialog').waitFor();
    await expect.poll(() => cutPlaceholders()).toEqual([]);
    await expect.poll(() => page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
  });
});
