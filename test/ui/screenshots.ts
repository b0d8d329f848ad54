// Takes the pictures of the README and the docs: `npm run screenshots`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { furnish, Stage } from './stage.ts';

const FOLDER =
  process.env['SCREENSHOTS'] ?? fileURLToPath(new URL('../../docs/images/', import.meta.url));
/** What the charts need to have something to show. */
const WARM_UP_MS = Number(process.env['WARM_UP_MS'] ?? 30_000);

/** Takes all of them. */
export async function takeScreenshots(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const stage = await Stage.open();
  const stop = await furnish(stage);
  try {
    const complaints: string[] = [];
    const light = await stage.page(complaints);
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
    await dark.waitForTimeout(WARM_UP_MS / 2);
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
