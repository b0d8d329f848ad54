// What is entered in the forms of the web UI by click: types, arguments and policy keys with their help, and what is
// wrong with them. In a real browser; left out where there is none.

import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, Stage } from './stage.ts';

describe.skipIf(!hasBrowser)('forms of the web UI', () => {
  let stage: Stage;
  let page: Page;
  let dialog: Locator;

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(() => stage?.leave(page));
  afterAll(() => stage?.close());

  /** Opens a form by its button on a page. */
  const openForm = async (hash: string, button: string): Promise<void> => {
    page = await stage.page([]);
    await page.goto(`${stage.api.url}/#${hash}`);
    await page.getByRole('button', { name: button, exact: true }).click();
    dialog = page.getByRole('dialog');
    await dialog.waitFor();
  };
  const send = (name: string) => dialog.getByRole('button', { name, exact: true }).click();
  const gone = () => dialog.waitFor({ state: 'detached' });
  /** What is said to be wrong beside an input. */
  const wrong = async (input: Locator): Promise<string | null> => {
    await dialog.locator('[aria-invalid="true"]').first().waitFor();
    const [id] = ((await input.getAttribute('aria-describedby')) ?? '').split(' ');
    return dialog.locator(`#${id}.wrong`).textContent();
  };
  const add = (what: string, name: string) => dialog.getByLabel(what).selectOption(name);

  test('a queue gets its type and arguments by click, with help, and wrong ones are told beside them', async () => {
    await openForm('/queues', 'Declare a queue');
    await send('Declare');
    const name = dialog.getByLabel('Name', { exact: true });
    await expect.poll(() => wrong(name)).toBe('This cannot be empty.');
    await name.fill('clicked');
    await dialog.getByLabel('Type', { exact: true }).selectOption('quorum');
    await dialog.getByText('A quorum queue is durable').waitFor();
    await add('Add an argument', 'x-message-ttl');
    const ttl = dialog.getByLabel('x-message-ttl', { exact: true });
    await dialog.getByText('How long a message may wait in the queue').waitFor();
    await ttl.fill('soon');
    await send('Declare');
    await expect.poll(() => wrong(ttl)).toBe('"soon" is not a whole number.');
    await ttl.fill('-5');
    await send('Declare');
    await expect.poll(() => wrong(ttl)).toBe('It must be 0 or more.');
    await ttl.fill('60000');
    await dialog.getByText('That is 60 s.').waitFor();
    // What only the broker knows to be wrong is told beside the argument, too.
    await add('Add an argument', 'x-dead-letter-routing-key');
    const key = dialog.getByLabel('x-dead-letter-routing-key', { exact: true });
    await key.fill('k');
    await send('Declare');
    await expect.poll(() => wrong(key)).toContain('routing_key_but_no_dlx_defined');
    await dialog.getByRole('button', { name: 'Remove x-dead-letter-routing-key' }).click();
    await add('Add an argument', 'x-overflow');
    await dialog.getByLabel('x-overflow', { exact: true }).selectOption('reject-publish');
    await add('Add an argument', 'another one, by its name');
    await dialog.getByLabel('Name of the argument').fill('x-<b>mine');
    await dialog.getByLabel('Type of the value').selectOption('number');
    await dialog.getByLabel('Value', { exact: true }).fill('7.5');
    await send('Declare');
    await gone();
    const { json } = await stage.api.call('GET', '/queues/%2F/clicked');
    expect(json).toMatchObject({
      type: 'quorum',
      arguments: { 'x-message-ttl': 60000, 'x-overflow': 'reject-publish', 'x-<b>mine': 7.5 },
    });
  });

  test('keys of a policy are offered by what it applies to, and what is refused is told beside them', async () => {
    await openForm('/policies', 'Add a policy');
    await dialog.getByLabel('Name', { exact: true }).fill('bounds');
    const keys = () => dialog.getByLabel('Add a key').locator('option').allTextContents();
    await dialog.getByLabel('Applies to').selectOption('exchanges');
    await expect.poll(() => keys()).toContain('alternate-exchange');
    await expect.poll(() => keys()).not.toContain('max-length');
    await dialog.getByLabel('Applies to').selectOption('queues');
    await expect.poll(() => keys()).toContain('max-length');
    await add('Add a key', 'max-length');
    await dialog.getByLabel('max-length', { exact: true }).fill('5');
    await add('Add a key', 'another one, by its name');
    await dialog.getByLabel('Name of the argument').fill('nonsense');
    await dialog.getByLabel('Value', { exact: true }).fill('1');
    await send('Add');
    await expect
      .poll(() => wrong(dialog.getByLabel('Value', { exact: true })))
      .toContain('nonsense');
    await dialog.getByRole('button', { name: 'As JSON' }).click();
    const json = dialog.getByLabel('Definition (JSON)');
    expect(JSON.parse(await json.inputValue())).toEqual({ 'max-length': 5, nonsense: '1' });
    await json.fill('{');
    await send('Add');
    await expect.poll(() => wrong(json)).toContain('This is not JSON');
    await json.fill('{"max-length": 6}');
    await dialog.getByRole('button', { name: 'By click' }).click();
    await expect
      .poll(() => dialog.getByLabel('max-length', { exact: true }).inputValue())
      .toBe('6');
    await dialog.getByLabel('Pattern').fill('(');
    await send('Add');
    await expect.poll(() => wrong(dialog.getByLabel('Pattern'))).not.toBeNull();
    await dialog.getByLabel('Pattern').fill('^b');
    await send('Add');
    await gone();
    await page.getByText('max-length = 6').waitFor();
  });

  test('an operator policy is changed as it is, whatever it applies to', async () => {
    const kinds = ['all', 'streams', 'exchanges', 'quorum_queues'];
    for (const to of kinds) {
      const policy = { pattern: '^p', definition: { 'max-length': 5 }, 'apply-to': to };
      await stage.api.call('PUT', `/operator-policies/%2F/of-${to}`, policy);
    }
    page = await stage.page([]);
    await page.goto(`${stage.api.url}/#/policies`);
    dialog = page.getByRole('dialog');
    for (const to of kinds) {
      const row = page.locator('tr', { hasText: `of-${to}` });
      await row.getByRole('button', { name: 'Change' }).click();
      await dialog.getByLabel('Pattern').fill('^q');
      await send('Change');
      await gone();
      const { json } = await stage.api.call('GET', `/operator-policies/%2F/of-${to}`);
      expect(json).toMatchObject({ pattern: '^q', 'apply-to': to });
    }
  });

  test('a schedule shows its next times before it is set, runs at once, and what is wrong is told beside it', async () => {
    await stage.api.call('PUT', '/queues/%2F/reports', {});
    await openForm('/schedules', 'Add a schedule');
    await dialog.getByLabel('Name', { exact: true }).fill('nightly');
    const cron = dialog.getByLabel('Cron expression');
    await cron.fill('at two');
    await cron.blur();
    await dialog.getByText('"at two" is no cron expression').waitFor();
    await send('Add');
    await expect.poll(() => wrong(cron)).toContain('it has to have 5 or 6 fields');
    await cron.fill('30 2 29 2 *');
    await cron.blur();
    // Years apart, so that no more than one of them is of the same year.
    await expect.poll(() => dialog.getByText(/2\/29\/20\d\d/).count()).toBe(5);
    await dialog.getByLabel('Routing key').fill('reports');
    await dialog.getByLabel('Payload').fill('go');
    await send('Add');
    await gone();
    const { json } = await stage.api.call('GET', '/schedules/%2F/nightly');
    expect(json).toMatchObject({ cron: '30 2 29 2 *', time_zone: 'UTC', payload: 'go' });
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByText('Published the message of nightly').waitFor();
    await page.getByRole('button', { name: 'Change' }).click();
    await dialog.getByLabel('Or every so many milliseconds').fill('60000');
    await send('Change');
    await gone();
    await page.getByText('every 60 s').waitFor();
    const changed = await stage.api.call('GET', '/schedules/%2F/nightly');
    expect(changed.json).toMatchObject({ every: 60_000, payload: 'go', routing_key: 'reports' });
  });

  test('an exchange and a binding get the arguments that their type knows', async () => {
    await stage.api.call('PUT', '/queues/%2F/matched', {});
    await openForm('/exchanges', 'Declare an exchange');
    await dialog.getByLabel('Name', { exact: true }).fill('by headers');
    const options = () => dialog.getByLabel('Add an argument').locator('option').allTextContents();
    await dialog.getByLabel('Type', { exact: true }).selectOption('x-consistent-hash');
    await expect.poll(() => options()).toContain('hash-property');
    await dialog.getByLabel('Type', { exact: true }).selectOption('headers');
    await expect.poll(() => options()).not.toContain('hash-property');
    await send('Declare');
    await gone();
    await page.getByRole('link', { name: 'by headers' }).click();
    await page.getByRole('button', { name: 'Bind', exact: true }).click();
    await dialog.getByLabel('Its name').fill('nowhere');
    await send('Bind');
    await expect.poll(() => wrong(dialog.getByLabel('Its name'))).toContain('no queue');
    await dialog.getByLabel('Its name').fill('matched');
    await add('Add an argument', 'x-match');
    await dialog.getByLabel('x-match', { exact: true }).selectOption('any');
    await send('Bind');
    await gone();
    const { json } = await stage.api.call('GET', '/exchanges/%2F/by%20headers/bindings/source');
    expect(json).toMatchObject([{ destination: 'matched', arguments: { 'x-match': 'any' } }]);
  });

  test('a user gets tags by click, and a wrong pattern of a permission is told beside it', async () => {
    await openForm('/access', 'Add a user');
    await dialog.getByLabel('Name', { exact: true }).fill('eve');
    await dialog.getByLabel('policymaker').check();
    await dialog.getByLabel('Other tags').fill('night shift, temp');
    await send('Add');
    await gone();
    const { json } = await stage.api.call('GET', '/users/eve');
    expect(json).toMatchObject({ tags: ['policymaker', 'night shift', 'temp'] });
    await page.getByRole('button', { name: 'Grant', exact: true }).click();
    await dialog.getByLabel('User').selectOption('eve');
    await dialog.getByLabel('Write').fill('*(');
    await send('Grant');
    await expect.poll(() => wrong(dialog.getByLabel('Write'))).not.toBeNull();
    await dialog.getByLabel('Write').fill('^$');
    await send('Grant');
    await gone();
    const granted = await stage.api.call('GET', '/permissions/%2F/eve');
    expect(granted.json).toMatchObject({ configure: '.*', write: '^$', read: '.*' });
  });
});
