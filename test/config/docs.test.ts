import { expect, test } from 'vitest';
import { GROUPS, groupOf, renderHelp, renderPage } from '../../src/config/docs.ts';
import { SETTINGS } from '../../src/config/settings.ts';

const RENEW = 'the page is out of date; renew it: npx vitest run test/config/docs.test.ts -u';

test('the committed page is the one that the table gives', async () => {
  await expect(renderPage(), RENEW).toMatchFileSnapshot('../../docs/configuration.md');
});

test.each(Object.values(SETTINGS))('the help and the page have $key', ({ key }) => {
  expect(renderHelp()).toContain(`\n  ${key} = `);
  expect(renderPage()).toContain(`\n| \`${key}\` |`);
});

const KEYS = Object.values(SETTINGS).map(({ key }) => key);

test.each(KEYS)('%s is in a group, so that people find it', (key) => {
  expect(groupOf(key), 'name the key, or how it begins, in src/config/docs.ts').toBeDefined();
});

test('each group has settings, and each of its beginnings means one', () => {
  for (const group of GROUPS) {
    expect(KEYS.filter((key) => groupOf(key) === group).length, group.title).toBeGreaterThan(0);
  }
});

test('the nearest group wins: listeners of TLS stand with TLS', () => {
  expect(groupOf('listeners.ssl')?.title).toContain('TLS');
  expect(groupOf('listeners.tcp')?.title).toContain('Listeners');
  expect(groupOf('listeners.')).toBe(groupOf('listeners.tcp'));
  expect(groupOf('nothing')).toBeUndefined();
});
