// Every method of every route, tried by users of every tag and permission, against the table beside this
// file. With MANAGEMENT_URL and AMQP_URL set it is RabbitMQ that is tried.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../../src/management/app.ts';
import { type Api, isOracle, startApi } from '../support.ts';
import { ACTS } from './acts.ts';
import { setUp, tearDown, tryAct } from './stage.ts';

/** By route, what Leveret answers, and what RabbitMQ answers where that is something else. */
const TABLE = readTable(readFileSync(new URL('table.txt', import.meta.url), 'utf8'));

interface Row {
  readonly leveret: string;
  readonly rabbitmq: string;
}

function readTable(text: string): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>();
  let route = '';
  for (const line of text.split('\n')) {
    const cells = line.trim().split(/ {2,}|(?<=\d) /);
    if (line === '' || line.startsWith('#')) continue;
    if (cells[0] === '= RabbitMQ') {
      const rabbitmq = cells.slice(1).join(' ');
      rows.set(route, { leveret: (rows.get(route) as Row).leveret, rabbitmq });
      continue;
    }
    [route = ''] = cells;
    const leveret = cells.slice(1).join(' ');
    rows.set(route, { leveret, rabbitmq: leveret });
  }
  return rows;
}

let api: Api;
let node: string;

beforeAll(async () => {
  api = await startApi();
  await setUp(api);
  node = ((await api.call('GET', '/overview')).json as { node: string }).node;
});

afterAll(async () => {
  await tearDown(api);
  await api.close();
});

test('every method of every route is in the table, and is tried', () => {
  const routes = ROUTES.map(({ method, path }) => `${method} ${path}`).sort();
  expect(ACTS.map(({ route }) => route).sort()).toEqual(routes);
  expect([...TABLE.keys()].sort()).toEqual(routes);
});

const TRIED = ACTS.filter(({ own }) => !isOracle || own !== true);

test.each(TRIED)(
  '$route is open to those the table says, and to no others',
  async (act) => {
    const expected = TABLE.get(act.route)?.[isOracle ? 'rabbitmq' : 'leveret'];
    const [, ...found] = (await tryAct(api, act, node)).split(/ {2,}|(?<=\d) /);
    expect(found.join(' ')).toBe(expected);
  },
  120_000,
);
