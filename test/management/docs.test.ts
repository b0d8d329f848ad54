// The page of the HTTP API names every route, and no other.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';

test('docs/http-api.md lists all routes with the tags that they take', () => {
  const page = readFileSync(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
  const listed = page
    .slice(page.indexOf('## All routes'))
    .match(/^\| (?:GET|PUT|POST|DELETE) .*$/gm);
  const rows = ROUTES.map(
    ({ method, path, level }) => `| ${method} | \`/api${path}\` | ${level ?? '—'} |`,
  );
  expect(listed).toEqual(rows);
});
