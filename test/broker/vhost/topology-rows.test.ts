import { expect, test } from 'vitest';
import type { FieldTable } from '../../../src/amqp/field-table.ts';
import { DefinitionRows } from '../../../src/broker/vhost/topology-rows.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import type { Store } from '../../../src/store/port.ts';

const args: FieldTable = new Map([['x-match', { type: 'S', value: 'any' }]]);

/** Seals what was put and waits until reads see it. */
function commit(store: Store): Promise<void> {
  return new Promise((resolve) => {
    const batch = store.seal();
    store.onDurable((durable) => {
      if (durable >= batch) resolve();
    });
  });
}

test('names of the greatest length, and names with zero bytes, are kept apart', async () => {
  const store = openMemoryStore();
  const rows = new DefinitionRows(store);
  const long = 'é'.repeat(127);
  const names = ['', 'a', 'a\0', 'a\0b', long];
  for (const vhost of ['/', '/\0', long]) {
    names.forEach((name, id) => {
      rows.putQueue(vhost, { id: id + 1, name, autoDelete: false, arguments: args });
    });
    const identity = `q\0${long}\0${long}\0${'h'.repeat(44)}`;
    const ends = { source: long, destination: long, toExchange: false };
    rows.putBinding(vhost, identity, { ...ends, bindingKey: long, arguments: args });
  }
  await commit(store);
  for (const vhost of ['/', '/\0', long]) {
    expect(
      rows
        .queues(vhost)
        .map(({ value }) => value.name)
        .sort(),
    ).toEqual([...names].sort());
    expect(rows.bindings(vhost)).toMatchObject([{ value: { source: long, bindingKey: long } }]);
    expect(rows.exchanges(vhost)).toEqual([]);
  }
});

test('what is removed is gone, and only that', async () => {
  const store = openMemoryStore();
  const rows = new DefinitionRows(store);
  const declaration = { durable: true, autoDelete: false, internal: true, arguments: args };
  rows.putExchange('/', { name: 'one', type: 'topic', ...declaration });
  rows.putExchange('/', { name: 'two', type: 'fanout', ...declaration });
  await commit(store);
  rows.removeExchange('/', 'one');
  await commit(store);
  expect(rows.exchanges('/')).toMatchObject([
    { value: { name: 'two', type: 'fanout', ...declaration } },
  ]);
});
