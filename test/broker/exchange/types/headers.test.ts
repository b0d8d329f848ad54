import { expect, test } from 'vitest';
import { sameValue } from '../../../../src/amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import type { Binding } from '../../../../src/broker/exchange/binding.ts';
import { exchangeType } from '../../../../src/broker/exchange/registry.ts';
import type { HeaderName } from '../../../../src/broker/exchange/types/header-name.ts';
import { HeadersRouter } from '../../../../src/broker/exchange/types/headers.ts';
import { seeded } from '../random.ts';
import { bind, routed, sealed, withHeaders } from '../support.ts';

const str = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'I', value });
const yes: Field = { type: 't', value: true };
const present: Field = { type: 'V', value: null };
const table = (fields: Record<string, Field>): FieldTable => new Map(Object.entries(fields));

const ab = { a: str('1'), b: int(2) };

// what it shows, the binding's arguments, the message's headers, whether they meet
const CASES: [string, Record<string, Field>, Record<string, Field> | null, boolean][] = [
  ['all is the default: both', ab, { ...ab, c: yes }, true],
  ['all is the default: one missing', ab, { a: str('1') }, false],
  ['all: one differs', { ...ab, 'x-match': str('all') }, { ...ab, b: int(3) }, false],
  ['any: one is enough', { ...ab, 'x-match': str('any') }, { b: int(2) }, true],
  ['any: one right, one wrong', { ...ab, 'x-match': str('any') }, { ...ab, a: str('2') }, true],
  ['any: none', { ...ab, 'x-match': str('any') }, { a: str('2') }, false],
  ['all without conditions', {}, { a: yes }, true],
  ['all without conditions or headers', {}, null, true],
  ['any without conditions', { 'x-match': str('any') }, { a: yes }, false],
  ['conditions but no headers', ab, null, false],
  ['all skips x- keys', { ...ab, 'x-a': yes }, ab, true],
  ['any skips x- keys', { a: yes, 'x-a': yes, 'x-match': str('any') }, { 'x-a': yes }, false],
  ['all-with-x takes them', { ...ab, 'x-a': yes, 'x-match': str('all-with-x') }, ab, false],
  [
    'any-with-x takes them',
    { a: yes, 'x-a': yes, 'x-match': str('any-with-x') },
    { 'x-a': yes },
    true,
  ],
  ['void means present', { a: present }, { a: int(7) }, true],
  ['void means present, not absent', { a: present }, { b: int(7) }, false],
  ['a void header meets no value', { a: int(7) }, { a: present }, false],
  ['integers compare by value', { b: int(2) }, { b: { type: 'B', value: 2 } }, true],
  ['integers compare by value, 64 bit', { b: int(2) }, { b: { type: 'l', value: 2 } }, true],
  ['an integer meets a float', { b: int(2) }, { b: { type: 'd', value: 2 } }, true],
  ['a float meets an integer', { b: { type: 'f', value: 2 } }, { b: int(2) }, true],
  ['an integer meets no other float', { b: int(2) }, { b: { type: 'd', value: 2.5 } }, false],
  ['an integer is no text', { b: int(2) }, { b: str('2') }, false],
  [
    'tables compare by content',
    { t: { type: 'F', value: table(ab) } },
    {
      t: { type: 'F', value: table(ab) },
    },
    true,
  ],
  ['keys are case sensitive', { a: yes }, { A: yes }, false],
];

test.each(CASES)('%s', (_what, conditions, headers, meets) => {
  const router = new HeadersRouter<string>();
  router.add(bind('q', 'whatever', table(conditions)));
  const message = withHeaders(headers === null ? null : table(headers));
  expect(routed(router, 'key', message)).toEqual(meets ? ['q'] : []);
});

test('a destination with two bindings is found once and stays until both are gone', () => {
  const router = new HeadersRouter<string>();
  const one = bind('q1', '', table({ a: yes }));
  const two = bind('q1', '', table({ b: yes }));
  const other = bind('q2', '', table({ b: yes }));
  for (const binding of [one, two, other]) router.add(binding);
  const message = withHeaders(table({ a: yes, b: yes }));
  expect(routed(router, '', message)).toEqual(['q1', 'q2']);
  router.remove(one);
  expect(routed(router, '', message)).toEqual(['q1', 'q2']);
  router.remove(two);
  expect(routed(router, '', message)).toEqual(['q2']);
  router.remove(other);
  expect(router.size).toBe(0);
});

/** What a binding means, written down as plainly as can be. */
function meets(conditions: FieldTable, headers: FieldTable): boolean {
  const mode = String(conditions.get('x-match')?.value ?? 'all');
  const checks = [...conditions].filter(
    ([key]) => key !== 'x-match' && (mode.endsWith('-with-x') || !key.startsWith('x-')),
  );
  const holds = ([key, wanted]: [string, Field]): boolean => {
    const header = headers.get(key);
    return header !== undefined && (wanted.type === 'V' || sameValue(wanted, header));
  };
  return mode.startsWith('all') ? checks.every(holds) : checks.some(holds);
}

test('the router agrees with a plain matcher while bindings come and go, and ends empty', () => {
  const random = seeded();
  const fields: Field[] = [
    str('1'),
    str('2'),
    str(''),
    { type: 'x', value: Buffer.from('1') },
    { type: 'S', value: Buffer.from([0xff]) },
    str('\ufffd'),
    int(1),
    { type: 'd', value: 1 },
    present,
    yes,
  ];
  const someOf = (keys: string[]): FieldTable => {
    const some: FieldTable = new Map();
    for (const key of keys) if (random.below(2) === 0) some.set(key, random.pick(fields));
    return some;
  };
  const router = new HeadersRouter<string>();
  const bound: Binding<string>[] = [];
  for (let i = 0; i < 3_000; i++) {
    if (bound.length < 40 && random.below(bound.length + 20) < 20) {
      const conditions = someOf(['a', 'b', 'x-c']);
      const mode = random.pick(['', 'all', 'any', 'all-with-x', 'any-with-x']);
      if (mode !== '') conditions.set('x-match', str(mode));
      const binding = bind(`q${random.below(12)}`, '', conditions);
      bound.push(binding);
      router.add(binding);
    } else {
      router.remove(bound.splice(random.below(bound.length), 1)[0] as Binding<string>);
    }
    const headers = someOf(['a', 'b', 'x-c', 'd']);
    const hit = bound.filter((binding) => meets(binding.arguments, headers));
    const expected = [...new Set(hit.map((binding) => binding.destination))].sort();
    expect([headers, routed(router, '', withHeaders(headers))]).toEqual([headers, expected]);
  }
  while (bound.length > 0) {
    router.remove(bound.splice(random.below(bound.length), 1)[0] as Binding<string>);
  }
  expect(router.size).toBe(0);
});

test('a message asks for each name once, and tries no binding that wants another text', () => {
  const router = new HeadersRouter<string>();
  for (let i = 0; i < 100; i++) {
    router.add(bind(`q${i}`, '', table({ kind: str('order'), tenant: str(`t${i}`) })));
  }
  const asked: string[] = [];
  const headers = table({ kind: str('order'), tenant: str('t42') });
  const message = {
    header: (name: HeaderName) => {
      asked.push(name.text);
      return headers.get(name.text) ?? null;
    },
    property: () => null,
  };
  expect(routed(router, '', message)).toEqual(['q42']);
  // Both shelves are looked at; besides, the rule of q42 and that of the one other on its shelf.
  expect(asked.length).toBeLessThan(8);
});

test('no header is asked for when no binding sets a condition', () => {
  const router = new HeadersRouter<string>();
  router.add(bind('q1', ''));
  expect(routed(router, '', sealed)).toEqual(['q1']);
});

test('an x-match that means nothing is refused', () => {
  const check = (mode: Field) =>
    exchangeType('headers').checkBinding('', table({ 'x-match': mode }));
  expect(() => check(str('some'))).toThrow(
    'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any,',
  );
  expect(() => check(str('toString'))).toThrow(/PRECONDITION_FAILED/);
  expect(() => check(int(1))).toThrow(/expected longstr/);
  for (const mode of ['all', 'any', 'all-with-x', 'any-with-x']) check(str(mode));
});
