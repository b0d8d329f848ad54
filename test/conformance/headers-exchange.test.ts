// The headers exchange: which headers meet which conditions.
import { expect, it } from 'vitest';
import { channelClose, expectedFor, useBroker } from '../support/amqp.ts';
import type { Fields } from '../support/amqp-wire.ts';
import { typed } from '../support/amqp-wire.ts';

const broker = useBroker();
const S = (value: string) => typed('S', value);
const I = (value: number) => typed('I', value);
const VOID = typed('V', null);
const YES = typed('t', true);
const TWO = { a: S('1'), b: I(2) };
const all = { 'x-match': S('all') };
const any = { 'x-match': S('any') };
const allWithX = { 'x-match': S('all-with-x') };
const anyWithX = { 'x-match': S('any-with-x') };

// RabbitMQ looks at types and order only inside tables and arrays.
const INSIDE = { rabbitmq: false, leveret: true };

// what it shows, the binding's arguments, the message's headers, whether they meet
const CASES: [string, Fields, Fields | null, boolean | { rabbitmq: boolean; leveret: boolean }][] =
  [
    ['all is the default', TWO, { ...TWO, c: YES }, true],
    ['all is the default: one missing', TWO, { a: S('1') }, false],
    ['all: one differs', { ...TWO, ...all }, { a: S('1'), b: I(3) }, false],
    ['any: one is enough', { ...TWO, ...any }, { b: I(2) }, true],
    ['any: one right, one wrong', { ...TWO, ...any }, { a: S('2'), b: I(2) }, true],
    ['any: none', { ...TWO, ...any }, { a: S('2') }, false],
    ['any: other headers only', { ...TWO, ...any }, { c: I(2) }, false],
    ['all without conditions', all, { a: YES }, true],
    ['all without conditions, headers empty', all, {}, true],
    ['all without conditions or headers', all, null, true],
    ['no arguments at all', {}, null, true],
    ['any without conditions', any, { a: YES }, false],
    ['any without conditions or headers', any, null, false],
    ['conditions, headers empty', TWO, {}, false],
    ['conditions, no headers', TWO, null, false],
    ['any: conditions, no headers', { ...TWO, ...any }, null, false],
    ['all skips x- keys', { a: YES, 'x-a': YES, ...all }, { a: YES }, true],
    ['all with x- keys only', { 'x-a': YES, ...all }, {}, true],
    ['any skips x- keys', { a: YES, 'x-a': YES, ...any }, { 'x-a': YES }, false],
    ['any with x- keys only', { 'x-a': YES, ...any }, { 'x-a': YES }, false],
    ['all-with-x wants x- keys', { a: YES, 'x-a': YES, ...allWithX }, { a: YES }, false],
    ['all-with-x: all there', { a: YES, 'x-a': YES, ...allWithX }, { a: YES, 'x-a': YES }, true],
    ['all-with-x: x-match is no condition', allWithX, {}, true],
    ['any-with-x takes x- keys', { a: YES, 'x-a': YES, ...anyWithX }, { 'x-a': YES }, true],
    ['any-with-x: none', { a: YES, 'x-a': YES, ...anyWithX }, { 'x-a': typed('t', false) }, false],
    ['any-with-x: x-match is no condition', anyWithX, anyWithX, false],
    ['x is no prefix x-', { xa: YES, x: YES }, {}, false],
    ['void means present', { a: VOID }, { a: I(7) }, true],
    ['void means present, void too', { a: VOID }, { a: VOID }, true],
    ['void means present, not absent', { a: VOID }, { b: I(7) }, false],
    ['any: void means present', { a: VOID, b: I(1), ...any }, { a: S('') }, true],
    ['a void header meets no value', { a: I(7) }, { a: VOID }, false],
    ['a void header meets no text', { a: S('undefined') }, { a: VOID }, false],
    ['keys are case sensitive', { a: YES }, { A: YES }, false],
    ['texts are case sensitive', { a: S('Yes') }, { a: S('yes') }, false],
    ['an empty text is a value', { a: S('') }, { a: S('') }, true],
    ['an empty text is not presence', { a: S('') }, { a: S('1') }, false],
    ...(['b', 'B', 's', 'u', 'I', 'i', 'l', 'T'] as const).map(
      (tag): [string, Fields, Fields, boolean] => [
        `integers compare by value: I and ${tag}`,
        { n: I(2) },
        { n: typed(tag, 2) },
        true,
      ],
    ),
    ['negative integers', { n: I(-2) }, { n: typed('b', -2) }, true],
    ['an integer and a double', { n: I(2) }, { n: typed('d', 2) }, true],
    ['an integer and a float', { n: I(2) }, { n: typed('f', 2) }, true],
    ['a float and a double', { n: typed('f', 1.5) }, { n: typed('d', 1.5) }, true],
    ['a double that differs', { n: I(2) }, { n: typed('d', 2.5) }, false],
    ['an integer and a text', { n: I(2) }, { n: S('2') }, false],
    ['an integer and a bool', { n: I(1) }, { n: YES }, false],
    ['a bool and a text', { n: YES }, { n: S('true') }, false],
    ['a text and bytes', { n: S('abc') }, { n: typed('x', Buffer.from('abc')) }, true],
    ['tables', { t: typed('F', TWO) }, { t: typed('F', TWO) }, true],
    ['tables that differ', { t: typed('F', TWO) }, { t: typed('F', { a: S('1') }) }, false],
    ['empty tables', { t: typed('F', {}) }, { t: typed('F', {}) }, true],
    ['arrays', { t: typed('A', [I(1), S('a')]) }, { t: typed('A', [I(1), S('a')]) }, true],
    [
      'arrays in another order',
      { t: typed('A', [I(1), I(2)]) },
      { t: typed('A', [I(2), I(1)]) },
      false,
    ],
    ['an empty array', { t: typed('A', []) }, { t: typed('A', []) }, true],
    [
      'an empty array and an empty table',
      { t: typed('A', []) },
      { t: typed('F', {}) },
      { rabbitmq: true, leveret: false },
    ],
    ['an empty array and an empty text', { t: typed('A', []) }, { t: S('') }, false],
    [
      'table entries in another order',
      { t: typed('F', { a: S('1'), b: I(2) }) },
      { t: typed('F', { b: I(2), a: S('1') }) },
      INSIDE,
    ],
    [
      'integers of another width in a table',
      { t: typed('F', { a: I(1) }) },
      { t: typed('F', { a: typed('l', 1) }) },
      INSIDE,
    ],
    [
      'integers of another width in an array',
      { t: typed('A', [I(1)]) },
      { t: typed('A', [typed('l', 1)]) },
      INSIDE,
    ],
  ];

it.each(CASES)('%s', async (_what, conditions, headers, meets) => {
  const raw = await broker.raw();
  const [exchange, queue] = [broker.name('x'), broker.name()];
  await raw.call(1, 'exchange.declare', { exchange, type: 'headers' });
  await raw.call(1, 'queue.declare', { queue });
  expect(
    (await raw.call(1, 'queue.bind', { queue, exchange, routingKey: 'k', arguments: conditions }))
      .name,
  ).toBe('queue.bind-ok');
  raw.publish(1, { exchange, routingKey: 'other' }, headers === null ? {} : { headers });
  const { messageCount } = await raw.call(1, 'queue.purge', { queue });
  expect(messageCount === 1).toBe(typeof meets === 'boolean' ? meets : expectedFor(meets));
});

it('refuses an x-match that means nothing', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const cases: [unknown, string][] = [
    [
      S('some'),
      'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
    ],
    [S(''), 'Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x'],
    [
      S('ALL'),
      'Invalid x-match field value <<"ALL">>; expected all, any, all-with-x, or any-with-x',
    ],
    [I(1), 'Invalid x-match field type signedint (value 1); expected longstr'],
    [YES, 'Invalid x-match field type bool (value true); expected longstr'],
    [VOID, 'Invalid x-match field type void (value undefined); expected longstr'],
    [typed('F', {}), 'Invalid x-match field type table (value []); expected longstr'],
    [typed('d', 1), 'Invalid x-match field type double (value 1.0); expected longstr'],
  ];
  for (const [mode, text] of cases) {
    const bind = { queue, exchange: 'amq.match', arguments: { 'x-match': mode } };
    expect(await raw.attempt('queue.bind', bind)).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - ${text}`, 'queue.bind'),
    );
  }
});

it('gives a queue with several bindings that are met one copy', async () => {
  const raw = await broker.raw();
  const [exchange, queue] = [broker.name('x'), broker.name()];
  await raw.call(1, 'exchange.declare', { exchange, type: 'headers' });
  await raw.call(1, 'queue.declare', { queue });
  for (const args of [{}, { a: I(1) }, { a: I(1), ...any }]) {
    await raw.call(1, 'queue.bind', { queue, exchange, arguments: args });
  }
  raw.publish(1, { exchange, routingKey: 'k' }, { headers: { a: I(1) } });
  expect((await raw.call(1, 'queue.purge', { queue }))['messageCount']).toBe(1);
});
