import { expect, test } from 'vitest';
import { counted, render } from '../../src/cli/output.ts';

const columns = ['name', 'tags', 'limits'];
const rows = [
  { name: 'zoë', tags: ['a', 'b'], limits: { n: 1 }, hidden: true },
  { name: 'b', tags: [], limits: undefined },
];

test('a table has its columns below each other', () => {
  expect(render({ columns, rows }, 'table')).toBe(
    'name  tags    limits\n' + 'zoë   [a, b]  {"n":1}\n' + 'b     []\n',
  );
});

test('a table without rows is nothing at all', () => {
  expect(render({ columns, rows: [] }, 'table')).toBe('');
});

test('what would break the table, or move the cursor, is written as JSON would', () => {
  const table = render({ columns: ['a'], rows: [{ a: 'x\ny\u001b[2J' }] }, 'table');
  expect(table).toBe('a\nx\\ny\\u001b[2J\n');
});

test('JSON has the columns alone, and nothing is null', () => {
  expect(JSON.parse(render({ columns, rows }, 'json'))).toEqual([
    { name: 'zoë', tags: ['a', 'b'], limits: { n: 1 } },
    { name: 'b', tags: [], limits: null },
  ]);
  expect(render({ columns, rows: [] }, 'json')).toBe('[]\n');
});

test('one is in the singular, none and several in the plural', () => {
  expect([0, 1, 2].map((count) => counted(count, 'queue'))).toEqual([
    '0 queues',
    '1 queue',
    '2 queues',
  ]);
});
