// Files that RabbitMQ 3.10 has exported, over its HTTP API and by rabbitmqctl: something of everything.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exportDefinitions } from '../../../src/broker/definitions/export.ts';
import { importDefinitions } from '../../../src/broker/definitions/import.ts';
import type { JsonObject, JsonValue } from '../../../src/util/json/json.ts';
import { parseJsonText } from '../../../src/util/json/json-input.ts';
import { jsonText } from '../../../src/util/json/json-writer.ts';
import { SmallBroker } from '../small-broker.ts';

const fixture = (name: string): JsonObject => {
  const path = join(import.meta.dirname, '..', '..', 'fixtures', name);
  return parseJsonText(readFileSync(path, 'utf8')) as JsonObject;
};

const ALL = fixture('rabbitmq-3.10-definitions.json');
const LISTS = [
  'users',
  'permissions',
  'topic_permissions',
  'parameters',
  'global_parameters',
  'policies',
  'queues',
  'exchanges',
  'bindings',
];

function imported(file: JsonObject, only: string | null = null): SmallBroker {
  const small = new SmallBroker();
  if (only !== null) small.broker.putVhost(only);
  importDefinitions(small.broker, file, { vhost: only ?? undefined });
  return small;
}

/** The items of a list, each by what names it, without the key that is Leveret's. */
function itemsOf(file: JsonObject, list: string): Map<string, JsonObject> {
  const items = (file[list] ?? []) as readonly JsonObject[];
  return new Map(
    items.map((item) => {
      const { leveret_arguments: _, ...rest } = item;
      const { vhost, name, user, source, destination, routing_key } = rest;
      return [JSON.stringify([vhost, name, user, source, destination, routing_key]), rest];
    }),
  );
}

test("everything of an export by RabbitMQ's HTTP API comes back as it was", () => {
  const exported = exportDefinitions(imported(ALL).broker, '1');
  for (const list of LISTS) {
    expect([list, itemsOf(exported, list)]).toEqual([list, itemsOf(ALL, list)]);
  }
  expect(itemsOf(exported, 'vhosts').size).toBe(3);
});

test('an export by rabbitmqctl is taken in, pairs for objects and all', () => {
  const file = fixture('rabbitmqctl-3.10-definitions.json');
  const small = new SmallBroker();
  const warnings = importDefinitions(small.broker, file);
  expect(warnings).toEqual([
    expect.stringMatching(/^bindings\[\d+\] from 'amq.topic' to 'mine' in vhost 'fixture' is left/),
    "policies[1] 'lazy' in vhost 'fixture' is kept: nothing here goes by queue-mode",
    "policies[2] 'mirror' in vhost 'fixture' is kept: nothing here goes by ha-mode, ha-params, ha-sync-mode",
  ]);
  const exported = exportDefinitions(small.broker, '1');
  for (const list of ['users', 'permissions', 'parameters', 'policies']) {
    expect([list, itemsOf(exported, list)]).toEqual([list, itemsOf(ALL, list)]);
  }
  expect(small.broker.vhost('fixture').metadata).toMatchObject({
    description: 'Orders and their mail',
    tags: ['orders', 'mail'],
    limits: { 'max-queues': 100, 'max-connections': -1 },
  });
});

test('the export of one vhost goes into any', () => {
  const { broker } = imported(fixture('rabbitmq-3.10-vhost.json'), 'copy');
  const exported = exportDefinitions(broker, '1');
  const moved = (json: JsonValue): JsonObject =>
    parseJsonText(jsonText(json).replaceAll('"vhost":"fixture"', '"vhost":"copy"')) as JsonObject;
  const expected = moved(ALL);
  for (const list of ['parameters', 'policies', 'queues', 'exchanges', 'bindings']) {
    expect([list, itemsOf(exported, list)]).toEqual([list, itemsOf(expected, list)]);
  }
});

test('what was imported holds: arguments, policies and operator policies together', () => {
  const vhost = imported(ALL).broker.vhost('fixture');
  const of = (name: string) => vhost.queues.get(name)?.rules;
  expect(of('app-jobs')).toMatchObject({
    lengthMax: 1000,
    messageTtlMs: 60_000,
    overflow: 'reject-publish-dlx',
    priorityMax: 10,
    deliveryLimit: 50,
  });
  expect(of('lazy.one')).toMatchObject({ lengthMax: 10_000, overflow: 'reject-publish' });
  expect(of('quorum')).toMatchObject({ deliveryLimit: 5, lengthMax: 1_000_000 });
  expect(vhost.exchange('in.orders').alternateExchange).toBe('unrouted');
  const events = vhost.queues.get('events');
  expect(events?.isStream === true && events.limits).toEqual({
    maxAgeMs: 7 * 86_400_000,
    lengthBytesMax: 1_048_576,
    lengthMax: Infinity,
  });
});

test('the password of an imported user is the one it had', async () => {
  const { login } = imported(ALL).broker.access;
  const by = async (password: string) =>
    (await login.byPassword('fix-admin', password, '127.0.0.1')).refusal;
  expect(await by('fixture')).toBe(null);
  expect(await by('other')).toBe('the password is wrong');
});
