// Owns the tests of x-death as clients may have written it: no value of any wire type stops a death.

import { expect, test } from 'vitest';
import { encodeTable } from '../../../src/amqp/encode-table.ts';
import { decodeTable, type Field, type FieldTable } from '../../../src/amqp/field-table.ts';
import { STORED_LIMITS } from '../../../src/amqp/table-limits.ts';
import {
  type Death,
  lastDeathOf,
  queuesOfCycle,
  recordDeath,
} from '../../../src/broker/republish/deaths.ts';
import { EDGE_FIELDS } from '../../amqp/edge-fields.ts';

const text = (value: string | Buffer): Field => ({ type: 'S', value });

const DEATH: Death = {
  queue: 'q',
  reason: 'expired',
  exchange: '',
  routingKey: 'key',
  expiration: null,
  atMs: 1_700_000_000_000,
};

function entry(queue: Field, reason: Field, count?: Field): FieldTable {
  const table: FieldTable = new Map([
    ['queue', queue],
    ['reason', reason],
  ]);
  return count === undefined ? table : table.set('count', count);
}

function withDeaths(...entries: FieldTable[]): FieldTable {
  return new Map([
    ['x-death', { type: 'A', value: entries.map((value) => ({ type: 'F', value })) }],
  ]);
}

function deathsOf(headers: FieldTable): FieldTable[] {
  const field = headers.get('x-death');
  return field?.type === 'A' ? field.value.map(({ value }) => value as FieldTable) : [];
}

/** Queue, reason and count of each death after one more, which must go onto the wire and back. */
function after(headers: FieldTable, death = DEATH): unknown[][] {
  recordDeath(headers, death);
  const bytes = encodeTable(headers);
  const { table } = decodeTable(bytes, 0, bytes.length, STORED_LIMITS);
  return deathsOf(table).map((value) =>
    ['queue', 'reason', 'count'].map((key) => value.get(key)?.value),
  );
}

const own = (count?: Field): FieldTable => withDeaths(entry(text('q'), text('expired'), count));

test('a count of any wire type and value can be counted on, and what is no integer counts as 0', () => {
  for (const count of EDGE_FIELDS) {
    const integer = 'bBsuIil'.includes(count.type);
    const wanted = integer ? BigInt(count.value as number) + 1n : 1n;
    const held = wanted > 2n ** 63n - 1n ? 2n ** 63n - 1n : wanted;
    const [[, , found] = []] = after(own(count));
    expect(BigInt(found as number), `${count.type} ${String(count.value)}`).toBe(held);
  }
  expect(after(own())).toEqual([['q', 'expired', 1]]);
});

test('queues, reasons and whole entries of any wire type are kept or passed over, and stop nothing', () => {
  for (const odd of EDGE_FIELDS) {
    const found = after(
      withDeaths(entry(odd, odd), entry(odd, text('expired')), entry(text('q'), odd)),
    );
    expect(found[0]).toEqual(['q', 'expired', 1]);
    expect(after(new Map([['x-death', odd]]))[0]?.[0]).toBe('q');
    const mixed: FieldTable = new Map([['x-death', { type: 'A', value: [odd, odd] }]]);
    expect(after(mixed)[0]).toEqual(['q', 'expired', 1]);
    for (const headers of [withDeaths(entry(odd, odd)), new Map([['x-death', odd]])]) {
      expect(() => lastDeathOf(headers)).not.toThrow();
      expect(() => queuesOfCycle(headers, 'expired')).not.toThrow();
    }
  }
});

test('entries of one queue and reason are merged into the first, which counts them if it has no count', () => {
  const a = (count?: number): FieldTable =>
    entry(
      text('a'),
      text('expired'),
      count === undefined ? undefined : { type: 'l', value: count },
    );
  expect(after(withDeaths(a(), a(), a()))).toEqual([
    ['q', 'expired', 1],
    ['a', 'expired', 3],
  ]);
  expect(after(withDeaths(a(5), a(7), entry(text('b'), text('maxlen'))))).toEqual([
    ['q', 'expired', 1],
    ['a', 'expired', 5],
    ['b', 'maxlen', 1],
  ]);
  expect(after(withDeaths(a()))).toEqual([
    ['q', 'expired', 1],
    ['a', 'expired', undefined],
  ]);
  const twice = withDeaths(entry(text('q'), text('expired')), entry(text('q'), text('expired')));
  expect(after(twice)).toEqual([['q', 'expired', 3]]);
});

test('the routing keys of a death are its own and the texts among CC, byte for byte', () => {
  const binary = Buffer.from([0x6b, 0xff]);
  const headers: FieldTable = new Map([
    ['CC', { type: 'A', value: [...EDGE_FIELDS, text(binary)] }],
  ]);
  recordDeath(headers, { ...DEATH, routingKey: binary });
  const keys = deathsOf(headers)[0]?.get('routing-keys')?.value as Field[];
  expect(keys.every(({ type }) => type === 'S')).toBe(true);
  expect([keys[0]?.value, keys.at(-1)?.value]).toEqual([binary, binary]);
});

test('the way back leads by names that can be some, and by no others', () => {
  const long = text('x'.repeat(256));
  const death = entry(long, text('expired'));
  death.set('exchange', long).set('routing-keys', { type: 'A', value: [long] });
  expect(lastDeathOf(withDeaths(death))).toEqual({
    queue: null,
    reason: 'expired',
    exchange: null,
    routingKey: null,
    count: 1,
  });
});
