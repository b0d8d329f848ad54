// What Leveret exports, RabbitMQ takes in, and has the same afterwards. Skipped without its HTTP API.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { exportDefinitions, exportVhost } from '../../src/broker/definitions/export.ts';
import { importDefinitions } from '../../src/broker/definitions/import.ts';
import type { JsonObject, JsonValue } from '../../src/util/json/json.ts';
import { jsonText } from '../../src/util/json/json-writer.ts';
import { SmallBroker } from '../broker/small-broker.ts';
import { isLeveret, prepared } from '../support/amqp.ts';
import { managementOf } from './prepared.ts';

const without = isLeveret || inject('preparedTag') === '';
const title = (text: string): string =>
  without ? `${text} [needs RabbitMQ with its HTTP API]` : text;

/** The export of RabbitMQ that is a fixture, under names of this run. */
async function fixture(): Promise<JsonObject> {
  const path = join(import.meta.dirname, '..', 'fixtures', 'rabbitmq-3.10-definitions.json');
  const text = (await readFile(path, 'utf8'))
    .replaceAll('"fixture', `"${prepared('fixture')}`)
    .replaceAll('"fix-', `"${prepared('fix')}-`);
  return JSON.parse(text) as JsonObject;
}

/** The same with integers as JSON.parse gives them. */
const plain = (file: JsonObject): JsonObject => JSON.parse(jsonText(file)) as JsonObject;

/** The items of a list in some order, without what only Leveret says of them. */
function itemsOf(file: JsonObject, list: string, vhost: string | null): string[] {
  const items = (file[list] ?? []) as readonly JsonObject[];
  return items
    .filter((item) => vhost === null || item['vhost'] === vhost)
    .map(({ leveret_arguments: _, ...item }) => sorted(item))
    .sort();
}

/** The text of a value whose keys are in order. */
function sorted(value: JsonValue): string {
  return JSON.stringify(value, (_, each: JsonValue) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

it.skipIf(without)(title('an export by Leveret can be imported into RabbitMQ'), async () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, await fixture());
  broker.deleteVhost('/');
  await broker.access.putUser({ name: prepared('fix-scrypt'), tags: [] }, 'secret');
  const file = plain(exportDefinitions(broker, '1'));
  const call = managementOf(inject('amqpUrl'));
  const users = (file['users'] as readonly JsonObject[]).map(({ name }) => String(name));
  const vhosts = [...broker.vhosts.keys()];
  try {
    for (const vhost of vhosts) await call('PUT', `vhosts/${encodeURIComponent(vhost)}`, {});
    await call('POST', 'definitions', file);
    const all = JSON.parse(await call('GET', 'definitions')) as JsonObject;
    const [vhost = ''] = vhosts;
    for (const list of ['topic_permissions', 'parameters', 'policies', 'exchanges', 'bindings']) {
      expect([list, itemsOf(all, list, vhost)]).toEqual([list, itemsOf(file, list, vhost)]);
    }
    // RabbitMQ leaves out queues whose names it gives itself.
    const queues = itemsOf(file, 'queues', vhost).filter((item) => !item.includes('amq.gen-'));
    expect(itemsOf(all, 'queues', vhost)).toEqual(queues);
    const found = itemsOf(all, 'users', null);
    for (const user of itemsOf(file, 'users', null)) expect(found).toContain(user);
    const allowed = itemsOf(all, 'permissions', vhost);
    for (const each of itemsOf(file, 'permissions', vhost)) expect(allowed).toContain(each);
  } finally {
    for (const user of users) await call('DELETE', `users/${encodeURIComponent(user)}`);
    for (const vhost of vhosts) await call('DELETE', `vhosts/${encodeURIComponent(vhost)}`);
    for (const { name } of broker.globalParameters.list()) {
      await call('DELETE', `global-parameters/${encodeURIComponent(name)}`);
    }
  }
});

it.skipIf(without)(title('an export of one vhost can be imported into RabbitMQ'), async () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, await fixture());
  const file = plain(exportVhost(broker.vhost(prepared('fixture')), '1'));
  const call = managementOf(inject('amqpUrl'));
  const vhost = encodeURIComponent(prepared('copy'));
  try {
    await call('PUT', `vhosts/${vhost}`, {});
    await call('PUT', `permissions/${vhost}/guest`, { configure: '.*', write: '.*', read: '.*' });
    await call('POST', `definitions/${vhost}`, file);
    const all = JSON.parse(await call('GET', `definitions/${vhost}`)) as JsonObject;
    for (const list of ['exchanges', 'bindings']) {
      expect([list, itemsOf(all, list, null)]).toEqual([list, itemsOf(file, list, null)]);
    }
    expect(itemsOf(all, 'policies', null)).toHaveLength(4);
  } finally {
    await call('DELETE', `vhosts/${vhost}`);
  }
});
