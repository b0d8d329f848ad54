// Takes the pictures of the README and the docs: `npm run screenshots`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { furnish, Stage } from './stage.ts';

const FOLDER =
  process.env['SCREENSHOTS'] ?? fileURLToPath(new URL('../../docs/images/', import.meta.url));
/** What the charts need to have something to show. */
const WARM_UP_MS = Number(process.env['WARM_UP_MS'] ?? 30_000);

/** With this, every page is looked at instead: wide, dark and on a phone, as files of this folder. */
const EVERY = process.env['EVERY_PAGE'];

/** With this, one of these looks alone. */
const LOOK = process.env['LOOK'];

/** Each page with what its file is called. */
const PAGES: readonly (readonly [hash: string, file: string])[] = [
  ['/', 'overview'],
  ['/queues', 'queues'],
  ['/queue/%2F/failed', 'queue'],
  ['/queue/%2F/mistyped', 'queue-gone'],
  ['/exchanges', 'exchanges'],
  ['/exchange/%2F/orders', 'exchange'],
  ['/topology', 'topology'],
  ['/connections', 'connections'],
  ['/access', 'access'],
  ['/user/guest', 'user'],
  ['/vhost/%2F', 'vhost'],
  ['/policies', 'policies'],
  ['/definitions', 'definitions'],
  ['/settings', 'settings'],
  ['/set-aside', 'set-aside'],
  ['/log', 'log'],
];

/** Takes the forms, each with something in it. */
async function takeForms(stage: Stage, page: Page, folder: string, look: string): Promise<void> {
  await page.goto(`${stage.api.url}/#/queues`);
  await page.getByRole('button', { name: 'Declare a queue' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Type', { exact: true }).selectOption('quorum');
  await dialog.getByLabel('Add an argument').selectOption('x-message-ttl');
  await dialog.getByLabel('x-message-ttl', { exact: true }).fill('-60000');
  await dialog.getByRole('button', { name: 'Declare' }).click();
  await page.screenshot({ path: join(folder, `form-queue-${look}.png`) });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByLabel('Select all of this page').check();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.screenshot({ path: join(folder, `form-many-${look}.png`) });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.goto(`${stage.api.url}/#/access`);
  await page.getByRole('button', { name: 'Add a user' }).click();
  await page.screenshot({ path: join(folder, `form-user-${look}.png`) });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
}

/** Takes every page in every look, the whole height of each. */
async function takeEveryPage(stage: Stage, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const looks = {
    wide: {},
    dark: { dark: true },
    phone: { width: 390, height: 844 },
  };
  for (const [look, options] of Object.entries(looks)) {
    if (LOOK !== undefined && look !== LOOK) continue;
    const page = await stage.page([], options);
    await takeForms(stage, page, folder, look);
    for (const [hash, file] of PAGES) {
      await page.goto(`${stage.api.url}/#${hash}`);
      await page.waitForTimeout(2500);
      if (file === 'queue') await page.getByRole('button', { name: 'Browse' }).click();
      await page.screenshot({ path: join(folder, `${file}-${look}.png`), fullPage: true });
    }
    await page.close();
  }
}

/** Takes all of them. */
export async function takeScreenshots(): Promise<void> {
  const stage = await Stage.open();
  const stop = await furnish(stage);
  if (EVERY !== undefined) {
    await takeEveryPage(stage, EVERY).finally(async () => {
      stop();
      await stage.close();
    });
    return;
  }
  mkdirSync(FOLDER, { recursive: true });
  try {
    const complaints: string[] = [];
    const light = await stage.page(complaints);
    // The broker has run for a minute at most.
    await light.getByRole('button', { name: '1 min', exact: true }).click();
    await light.waitForTimeout(WARM_UP_MS);
    await light.screenshot({ path: join(FOLDER, 'overview.png') });
    const shots: readonly (readonly [hash: string, file: string])[] = [
      ['/queues', 'queues'],
      ['/topology', 'topology'],
      ['/connections', 'connections'],
    ];
    for (const [hash, file] of shots) {
      await light.goto(`${stage.api.url}/#${hash}`);
      await light.waitForTimeout(2500);
      await light.screenshot({ path: join(FOLDER, `${file}.png`) });
    }
    await light.goto(`${stage.api.url}/#/queue/%2F/failed`);
    await light.getByRole('button', { name: 'Browse' }).click();
    await light.waitForTimeout(6500);
    await light.screenshot({ path: join(FOLDER, 'queue.png') });
    const dark = await stage.page(complaints, { dark: true });
    await dark.getByRole('button', { name: '1 min', exact: true }).click();
    await dark.waitForTimeout(WARM_UP_MS / 4);
    await dark.screenshot({ path: join(FOLDER, 'overview-dark.png') });
    const phone = await stage.page(complaints, { width: 390, height: 844 });
    await phone.goto(`${stage.api.url}/#/queues`);
    await phone.waitForTimeout(2500);
    await phone.screenshot({ path: join(FOLDER, 'phone.png') });
    if (complaints.length > 0) throw new Error(`the browser complains: ${complaints.join('; ')}`);
  } finally {
    stop();
    await stage.close();
  }
}
