import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import type { Binding } from '../../../../src/broker/exchange/binding.ts';
import { SuperStreamRouter } from '../../../../src/broker/exchange/types/super-stream.ts';
import { bind, routed } from '../support.ts';

const orderOf = (order: number): Map<string, Field> =>
  new Map([['x-stream-partition-order', { type: 'l', value: order }]]);

const partition = (name: string, key: string, order: number): Binding<string> =>
  bind(name, key, orderOf(order));

/** A router whose streams are the destinations whose names begin with `s`. */
function routerOf(...bindings: Binding<string>[]): SuperStreamRouter<string> {
  const router = new SuperStreamRouter<string>(
    (name) => name.startsWith('s'),
    (name) => name,
  );
  for (const binding of bindings) router.add(binding);
  return router;
}

const THREE = ['s-0', 's-1', 's-2'].map((name, i) => partition(name, String(i), i));

// The table that the tests of RabbitMQ's clients share, for three partitions.
test.each([
  ['hello1', 1],
  ['hello2', 0],
  ['hello3', 1],
  ['hello4', 2],
  ['hello5', 0],
  ['hello6', 2],
  ['hello7', 0],
  ['hello8', 1],
  ['hello9', 0],
  ['hello10', 2],
  ['hello88', 1],
])('%s goes to partition %i, as clients of streams send it', (key, number) => {
  expect(routed(routerOf(...THREE), key)).toEqual([`s-${number}`]);
});

test('a key that names a partition goes there', () => {
  const router = routerOf(partition('s-a', 'hello1', 2), partition('s-b', 'b', 1));
  expect(routed(router, 'hello1')).toEqual(['s-a']);
  router.add(partition('s-b', 'hello1', 1));
  expect(routed(router, 'hello1')).toEqual(['s-a', 's-b']);
});

test('the order of partitions is that of their numbers, not of their bindings', () => {
  const turned = routerOf(...THREE.toReversed());
  for (const key of ['hello1', 'hello2', 'hello4']) {
    expect(routed(turned, key)).toEqual(routed(routerOf(...THREE), key));
  }
});

test('what is no stream takes no part in the hash, and is routed to by its key', () => {
  const router = routerOf(bind('audit', 'all'), ...THREE);
  expect(routed(router, 'all')).toEqual(['audit']);
  expect(routed(router, 'hello4')).toEqual(['s-2']);
});

test('a stream that is bound twice is one partition, by its first binding', () => {
  const router = routerOf(...THREE, partition('s-1', 'other', 7));
  expect(router.partitions.map(({ stream, key, number }) => [stream, key, number])).toEqual([
    ['s-0', '0', 0],
    ['s-1', '1', 1],
    ['s-2', '2', 2],
  ]);
  expect(routed(router, 'hello4')).toEqual(['s-2']);
});

test('partitions without a number, or with an odd one, come in the order of their names', () => {
  const odd = bind('s-x', 'x', new Map([['x-stream-partition-order', textField('1')]]));
  const router = routerOf(
    bind('s-z', 'z'),
    odd,
    partition('s-9', '9', 9),
    partition('s-m', 'm', -4),
  );
  expect(router.partitions.map(({ stream, number }) => [stream, number])).toEqual([
    ['s-m', 0],
    ['s-9', 9],
    ['s-x', 2],
    ['s-z', 3],
  ]);
});

test('partitions that come and go are told of, and keys go by what there is', () => {
  const router = routerOf(...THREE);
  let changes = 0;
  router.changed = () => {
    changes += 1;
  };
  router.remove(THREE[2] as Binding<string>);
  expect(routed(router, 'hello4')).not.toEqual(['s-2']);
  router.add(THREE[2] as Binding<string>);
  expect([changes, routed(router, 'hello4')]).toEqual([2, ['s-2']]);
  for (const binding of THREE) router.remove(binding);
  expect(routed(router, 'hello4')).toEqual([]);
});

test('keys are hashed by their bytes, however long', () => {
  const router = routerOf(...THREE);
  const spread = new Set(
    ['ä'.repeat(127), '漢'.repeat(85), 'k'.repeat(300), ''].flatMap((key) => routed(router, key)),
  );
  expect(spread.size).toBeGreaterThan(1);
});
