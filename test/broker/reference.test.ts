import { expect, test } from 'vitest';
import { renderReference } from './reference.ts';

const RENEW = 'the page is out of date; renew it: npx vitest run test/broker/reference.test.ts -u';

test('the committed page is the one that the tables give', async () => {
  await expect(renderReference(), RENEW).toMatchFileSnapshot('../../docs/reference.md');
});

test('no table of the page is empty, and every row has as many cells as its head', () => {
  const tables = renderReference().match(/(?:^\|.*\n)+/gm) ?? [];
  expect(tables.length).toBe(7);
  for (const table of tables) {
    const cells = table
      .trim()
      .split('\n')
      .map((line) => line.split(/(?<!\\)\|/).length);
    expect(cells.length).toBeGreaterThan(2);
    expect(new Set(cells).size).toBe(1);
  }
});
