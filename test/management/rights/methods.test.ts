// Every AMQP method that asks for a right, tried by users with every mix of rights, against the table beside
// this file. With MANAGEMENT_URL and AMQP_URL set it is RabbitMQ that is tried.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, isOracle, startApi } from '../support.ts';
import { METHOD_ACTS } from './methods.ts';
import { MethodStage } from './methods-stage.ts';

const TABLE = readTable(readFileSync(new URL('methods-table.txt', import.meta.url), 'utf8'));
const OTHER_IN_RABBITMQ = '= RabbitMQ';

/** By act, the lines below its name: one for each answer, with the users that get it. */
function readTable(text: string): ReadonlyMap<string, string> {
  const rows = new Map<string, string>();
  for (const block of text.split('\n\n').filter((each) => !each.startsWith('#'))) {
    const [name = '', ...lines] = block.trimEnd().split('\n');
    rows.set(name, lines.join('\n'));
  }
  return rows;
}

let api: Api;
let stage: MethodStage;

beforeAll(async () => {
  api = await startApi();
  stage = await MethodStage.open(api);
});

afterAll(async () => {
  await stage.close();
  await api.close();
});

test('every act is in the table', () => {
  const names = [...TABLE.keys()].filter((name) => !name.endsWith(OTHER_IN_RABBITMQ));
  expect(names).toEqual(METHOD_ACTS.map(({ name }) => name));
});

test.each(METHOD_ACTS)(
  'asks for the rights that the table says: $name',
  async (act) => {
    const ours = TABLE.get(act.name);
    const expected = isOracle ? (TABLE.get(`${act.name} ${OTHER_IN_RABBITMQ}`) ?? ours) : ours;
    expect(await stage.tryAct(act)).toBe(expected);
  },
  120_000,
);
