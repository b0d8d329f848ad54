import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import { BIT_MESSAGE_ID, BIT_TIMESTAMP } from '../../../../src/amqp/property-walk.ts';
import type { Binding } from '../../../../src/broker/exchange/binding.ts';
import type { RoutedMessage } from '../../../../src/broker/exchange/exchange-router.ts';
import {
  ConsistentHashRouter,
  checkWeight,
} from '../../../../src/broker/exchange/types/consistent-hash.ts';
import { bind, routed, sealed, withHeaders } from '../support.ts';

const text = (value: string): Field => ({ type: 'S', value });
const itself = (name: string): string => name;
const KEYS = Array.from({ length: 20_000 }, (_, i) => `customer-${i}`);

function routerOf(
  weights: Record<string, string>,
  args: FieldTable = new Map(),
): ConsistentHashRouter<string> {
  const router = new ConsistentHashRouter<string>(args, itself);
  for (const [name, weight] of Object.entries(weights)) router.add(bind(name, weight));
  return router;
}

/** Where each key goes: always to exactly one destination. */
function placesOf(router: ConsistentHashRouter<string>, keys = KEYS): string[] {
  return keys.map((key) => {
    const [destination, ...others] = routed(router, key, sealed);
    if (destination === undefined || others.length > 0) throw new Error(`${key} goes to no one`);
    return destination;
  });
}

function shareOf(places: readonly string[], name: string): number {
  return places.filter((place) => place === name).length / places.length;
}

test('without bindings a message goes nowhere', () => {
  expect(routed(routerOf({}), 'k')).toEqual([]);
});

test.each([
  { q1: '1', q2: '1', q3: '1', q4: '1' },
  { q1: '1', q2: '2', q3: '3', q4: '10' },
  { a: '1', b: '100000' },
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`orders.shard-${i}`, '7'])),
] as Record<string, string>[])('keys are shared out by weight: %o', (weights) => {
  const places = placesOf(routerOf(weights));
  const total = Object.values(weights).reduce((sum, weight) => sum + Number(weight), 0);
  for (const [name, weight] of Object.entries(weights)) {
    const fair = Number(weight) / total;
    // Six standard deviations of a fair draw.
    const slack = 6 * Math.sqrt((fair * (1 - fair)) / KEYS.length);
    expect(Math.abs(shareOf(places, name) - fair), name).toBeLessThanOrEqual(slack);
  }
});

test('the mapping does not depend on the order of binding', () => {
  const one = placesOf(routerOf({ q1: '1', q2: '5', q3: '2' }));
  expect(placesOf(routerOf({ q3: '2', q1: '1', q2: '5' }))).toEqual(one);
});

test('the mapping is pinned, since a restart or a new version must not move keys', () => {
  const keys = KEYS.slice(0, 12);
  expect(placesOf(routerOf({ q1: '1', q2: '1', q3: '1' }), keys).join(' ')).toMatchInlineSnapshot(
    `"q3 q2 q1 q2 q1 q2 q1 q3 q3 q1 q1 q2"`,
  );
  expect(placesOf(routerOf({ q1: '1', q2: '2', q3: '3' }), keys).join(' ')).toMatchInlineSnapshot(
    `"q3 q2 q1 q2 q3 q2 q2 q3 q3 q2 q3 q3"`,
  );
});

test.each([
  [{ q1: '1', q2: '1', q3: '1' }, '1'],
  [{ q1: '1', q2: '2', q3: '3' }, '4'],
  [{ q1: '1', q2: '1', q3: '1' }, '2'],
] as [Record<string, string>, string][])(
  'a destination that comes to %o takes its share and moves nothing else; gone, it gives all back',
  (weights, weight) => {
    const router = routerOf(weights);
    const before = placesOf(router);
    const more = bind('new', weight);
    router.add(more);
    const after = placesOf(router);
    for (let i = 0; i < KEYS.length; i++) {
      if (after[i] !== before[i]) expect(after[i]).toBe('new');
    }
    expect(shareOf(after, 'new')).toBeGreaterThan(0.1);
    router.remove(more);
    expect(placesOf(router)).toEqual(before);
  },
);

test('a weight that grows takes from the others only', () => {
  const before = placesOf(routerOf({ q1: '1', q2: '1', q3: '1' }));
  const after = placesOf(routerOf({ q1: '1', q2: '1', q3: '2' }));
  for (let i = 0; i < KEYS.length; i++) if (after[i] !== before[i]) expect(after[i]).toBe('q3');
  expect(shareOf(after, 'q3')).toBeCloseTo(1 / 2, 1);
});

test('the weights of several bindings of one destination add up', () => {
  const router = routerOf({ q1: '1', q2: '3' });
  const more: Binding<string> = bind('q1', '2');
  router.add(more);
  expect(placesOf(router)).toEqual(placesOf(routerOf({ q1: '3', q2: '3' })));
  router.remove(more);
  expect(placesOf(router)).toEqual(placesOf(routerOf({ q1: '1', q2: '3' })));
  expect(router.size).toBe(2);
});

test('a weight is an integer above 0, with or without a sign, as in RabbitMQ', () => {
  for (const weight of ['1', '+3', '01', '99999999999999999999']) checkWeight(weight);
  const noInteger = (shown: string) =>
    `PRECONDITION_FAILED - The binding key must be an integer: ${shown}`;
  const tooSmall = 'PRECONDITION_FAILED - The binding key must be greater than 0';
  const cases: [string, string][] = [
    ['', noInteger('<<>>')],
    ['abc', noInteger('<<"abc">>')],
    ['1.5', noInteger('<<"1.5">>')],
    [' 1', noInteger('<<" 1">>')],
    ['1e3', noInteger('<<"1e3">>')],
    ['0', tooSmall],
    ['-1', tooSmall],
  ];
  for (const [weight, message] of cases) expect(() => checkWeight(weight)).toThrow(message);
});

const THREE = { q1: '1', q2: '1', q3: '1' };

/** To how many destinations these messages go. */
function spread(args: FieldTable, messages: readonly RoutedMessage[]): number {
  const router = routerOf(THREE, args);
  return new Set(messages.flatMap((message) => routed(router, 'same', message))).size;
}

test('a header can be hashed instead of the key, of any type', () => {
  const byHeader: FieldTable = new Map([['hash-header', text('h')]]);
  const values: ((i: number) => Field)[] = [
    (i) => text(`v${i}`),
    (i) => ({ type: 'I', value: i }),
    (i) => ({ type: 'd', value: i / 7 }),
    (i) => ({ type: 'A', value: [text(`v${i}`)] }),
    (i) => ({ type: 'F', value: new Map([['n', { type: 'I', value: i }]]) }),
  ];
  for (const value of values) {
    const messages = Array.from({ length: 50 }, (_, i) => withHeaders(new Map([['h', value(i)]])));
    expect(spread(byHeader, messages)).toBe(3);
  }
  const bare = [withHeaders(null), withHeaders(new Map()), withHeaders(new Map([['o', text('')]]))];
  expect(spread(byHeader, bare)).toBe(1);
});

test('the width of a number in the hashed header does not matter', () => {
  const byHeader: FieldTable = new Map([['hash-header', text('h')]]);
  const router = routerOf(THREE, byHeader);
  for (let value = 0; value < 30; value++) {
    const places = (['b', 'u', 'I', 'l', 'T'] as const).flatMap((type) =>
      routed(router, '', withHeaders(new Map([['h', { type, value }]]))),
    );
    expect(new Set(places).size).toBe(1);
  }
});

test.each([
  ['message_id', BIT_MESSAGE_ID],
  ['timestamp', BIT_TIMESTAMP],
])('the property %s can be hashed instead of the key', (name, bit) => {
  const byProperty: FieldTable = new Map([['hash-property', text(name)]]);
  const withProperty = (value: string | null): RoutedMessage => ({
    header: sealed.header,
    property: (asked) => (asked === bit ? value : null),
  });
  const messages = Array.from({ length: 50 }, (_, i) => withProperty(String(1_700_000_000 + i)));
  expect(spread(byProperty, messages)).toBe(3);
  expect(spread(byProperty, [withProperty(null), withProperty(null)])).toBe(1);
});

test('a weight too great to add to does not take another binding of its queue away', () => {
  const great = '9'.repeat(200);
  const router = new ConsistentHashRouter<string>(new Map(), itself);
  const bindings = [bind('q', great), bind('q', '1'), bind('q', great)];
  for (const binding of bindings) router.add(binding);
  for (const binding of bindings) {
    expect(routed(router, 'k')).toEqual(['q']);
    router.remove(binding);
  }
  expect(routed(router, 'k')).toEqual([]);
});
