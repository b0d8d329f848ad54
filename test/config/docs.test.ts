import { expect, test } from 'vitest';
import { renderHelp, renderPage } from '../../src/config/docs.ts';
import { SETTINGS } from '../../src/config/settings.ts';

const RENEW = 'the page is out of date; renew it: npx vitest run test/config/docs.test.ts -u';

test('the committed page is the one that the table gives', async () => {
  await expect(renderPage(), RENEW).toMatchFileSnapshot('../../docs/configuration.md');
});

test.each(Object.values(SETTINGS))('the help and the page have $key', ({ key }) => {
  expect(renderHelp()).toContain(`\n  ${key} = `);
  expect(renderPage()).toContain(`\n| \`${key}\` |`);
});
