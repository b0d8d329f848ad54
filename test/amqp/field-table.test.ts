import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { encodeTable } from '../../src/amqp/encode-table.ts';
import { AmqpError } from '../../src/amqp/errors.ts';
import {
  checkTable,
  decodeTable,
  type Field,
  type FieldTable,
  type FieldType,
} from '../../src/amqp/field-table.ts';
import { STORED_LIMITS, WIRE_LIMITS } from '../../src/amqp/table-limits.ts';
import { withSeed } from './random.ts';

interface AmqplibCodec {
  encodeTable(buffer: Buffer, value: object, offset: number): number;
  decodeFields(slice: Buffer): Record<string, unknown>;
}

// The codec is no public part of amqplib, so it is loaded by its path.
const amqplib = createRequire(import.meta.url)(
  '../../node_modules/amqplib/lib/codec.js',
) as AmqplibCodec;

function table(...entries: readonly (readonly [string, Field])[]): FieldTable {
  return new Map(entries);
}

function decodeAll(bytes: Buffer): FieldTable {
  return decodeTable(bytes, 0, bytes.length, WIRE_LIMITS).table;
}

/** A table of hand-made content: the length field is put in front. */
function wrap(...content: readonly (string | number | Buffer)[]): Buffer {
  const bytes = Buffer.concat(
    content.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Checks and decodes; both must agree. Returns why the bytes were refused, or null. */
function refusal(bytes: Buffer, start = 0, end = bytes.length): string | null {
  const checked = outcome(() => checkTable(bytes, start, end, WIRE_LIMITS));
  const decoded = outcome(() => decodeTable(bytes, start, end, WIRE_LIMITS).end);
  expect(decoded).toEqual(checked);
  return typeof checked === 'string' ? checked : null;
}

function outcome(body: () => number): number | string {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error;
    expect(error.replyName).toBe('SYNTAX_ERROR');
    return error.replyText;
  }
}

describe('field tables', () => {
  it.each(Array.from('tbBsuIilfdDSxATFV') as FieldType[])('keep values of type %s', (type) => {
    withSeed((random) => {
      for (let round = 0; round < 50; round += 1) {
        const given = table(['k', random.fieldOf(type, 3)]);
        expect(decodeAll(encodeTable(given))).toEqual(given);
      }
    });
  });

  it('come back as they were encoded', () => {
    withSeed((random) => {
      for (let round = 0; round < 500; round += 1) {
        const given = random.table(5);
        const bytes = encodeTable(given);
        expect(decodeAll(bytes)).toEqual(given);
        expect(checkTable(bytes, 0, bytes.length, WIRE_LIMITS)).toBe(bytes.length);
        expect(encodeTable(decodeAll(bytes)).equals(bytes)).toBe(true);
      }
    });
  });

  it('end where their length says, not where the buffer does', () => {
    const bytes = encodeTable(table(['a', { type: 'V', value: null }]));
    const chunk = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]);
    expect(checkTable(chunk, 3, chunk.length, WIRE_LIMITS)).toBe(3 + bytes.length);
    expect(decodeTable(chunk, 3, chunk.length, WIRE_LIMITS).end).toBe(3 + bytes.length);
  });

  it('share no memory with the chunk they came in', () => {
    const bytes = encodeTable(table(['a', { type: 'x', value: Buffer.from('abc') }]));
    const decoded = decodeAll(bytes);
    bytes.fill(0);
    expect(decoded).toEqual(table(['a', { type: 'x', value: Buffer.from('abc') }]));
  });

  it('take the last value of a key that comes twice', () => {
    expect(decodeAll(wrap(1, 'a', 'B', 1, 1, 'a', 'B', 2))).toEqual(
      table(['a', { type: 'B', value: 2 }]),
    );
  });

  it('hold any key, __proto__ and the empty one included', () => {
    const given = table(
      ['__proto__', { type: 't', value: true }],
      ['', { type: 'V', value: null }],
    );
    expect(decodeAll(encodeTable(given))).toEqual(given);
  });

  it('read L as the signed l, as RabbitMQ does', () => {
    expect(decodeAll(wrap(1, 'a', 'L', Buffer.alloc(8, 0xff)))).toEqual(
      table(['a', { type: 'l', value: -1 }]),
    );
  });

  it('read every non-zero octet as true', () => {
    expect(decodeAll(wrap(1, 'a', 't', 2)).get('a')).toEqual({ type: 't', value: true });
  });

  it('keep 64-bit values exact', () => {
    const given = table(
      ['safe', { type: 'l', value: Number.MIN_SAFE_INTEGER }],
      ['large', { type: 'l', value: -(2n ** 53n) }],
      ['time', { type: 'T', value: 2n ** 64n - 1n }],
    );
    expect(decodeAll(encodeTable(given))).toEqual(given);
  });
});

describe('malformed field tables', () => {
  it('are refused when cut short anywhere', () => {
    withSeed((random) => {
      for (let round = 0; round < 30; round += 1) {
        const bytes = encodeTable(random.table());
        for (let end = 0; end < bytes.length; end += 1) {
          expect(refusal(bytes, 0, end)).not.toBeNull();
        }
      }
    });
  });

  it.each([
    ['a table', wrap(1, 'a', 'F', 0, 0, 0, 1), 'a length reaches beyond what encloses it'],
    ['an array', wrap(1, 'a', 'A', 0xff, 0xff, 0xff, 0xff), 'a length reaches beyond'],
    ['a string', wrap(1, 'a', 'S', 0xff, 0xff, 0xff, 0xff, 'b'), 'a length reaches beyond'],
    ['a string in an array', wrap(1, 'a', 'A', 0, 0, 0, 5, 'S', 0, 0, 0, 9, 'b'), 'a length'],
    ['a key', wrap(9, 'a', 'V'), 'a value reaches beyond what encloses it'],
    ['a number', wrap(1, 'a', 'I', 0, 0), 'a value reaches beyond what encloses it'],
    ['a key without a value', wrap(1, 'a'), 'a value reaches beyond what encloses it'],
  ])('are refused when the length of %s lies', (_, bytes, reason) => {
    expect(refusal(bytes)).toContain(`SYNTAX_ERROR - malformed field table: ${reason}`);
    // The same bytes with more behind them must not be read into it.
    expect(refusal(Buffer.concat([bytes, Buffer.alloc(300, 0x56)]))).toContain(reason);
  });

  it('are refused for a type that nobody uses', () => {
    expect(refusal(wrap(1, 'a', 'q'))).toContain('unknown type 0x71');
    expect(refusal(wrap(1, 'a', 0))).toContain('unknown type 0x00');
  });

  it('are refused for a key that is no UTF-8', () => {
    expect(refusal(wrap(2, 'a', 0xff, 'V'))).toContain('a key is not valid UTF-8');
  });

  it('are refused beyond the nesting limit, tables and arrays alike', () => {
    let field: Field = { type: 'V', value: null };
    for (let depth = 1; depth < WIRE_LIMITS.tableDepthMax; depth += 1) {
      field =
        depth % 2 === 0 ? { type: 'A', value: [field] } : { type: 'F', value: table(['a', field]) };
    }
    const deepest = encodeTable(table(['a', field]));
    expect(refusal(deepest)).toBeNull();
    expect(refusal(wrap(1, 'a', 'F', deepest))).toContain('nested more than 32 deep');
    for (let depth = 0; depth < STORED_LIMITS.tableDepthMax; depth += 1) {
      field = { type: 'A', value: [field] };
    }
    expect(() => encodeTable(table(['a', field]))).toThrow('deeper');
  });

  it('are refused beyond the limit of entries, counted over all levels', () => {
    const voids = (count: number): Buffer => wrap(Buffer.alloc(count, 'V'));
    expect(refusal(wrap(1, 'a', 'A', voids(WIRE_LIMITS.tableEntriesMax - 1)))).toBeNull();
    expect(refusal(wrap(1, 'a', 'A', voids(WIRE_LIMITS.tableEntriesMax)))).toContain(
      'more than 4096 entries',
    );
    const half = wrap(1, 'a', 'A', voids(2500), 1, 'b', 'A', voids(2500));
    expect(refusal(half)).toContain('more than 4096 entries');
    expect(refusal(wrap(1, 'a', 'A', voids(2500)))).toBeNull();
  });

  it('of random bytes raise nothing but an AmqpError, the same from check and decode', () => {
    withSeed((random) => {
      for (let round = 0; round < 5000; round += 1) refusal(wrap(random.bytes(80)));
    });
  });

  it('with a few octets changed raise nothing but an AmqpError', () => {
    withSeed((random) => {
      for (let round = 0; round < 3000; round += 1) {
        const bytes = encodeTable(random.table(4));
        for (let flips = random.below(3); flips >= 0; flips -= 1) {
          bytes[random.below(bytes.length)] = random.below(256);
        }
        refusal(bytes);
      }
    });
  });
});

describe("amqplib's codec", () => {
  it('reads what is encoded here', () => {
    const bytes = encodeTable(
      table(
        ['t', { type: 't', value: true }],
        ['b', { type: 'b', value: -5 }],
        ['B', { type: 'B', value: 200 }],
        ['s', { type: 's', value: -300 }],
        ['u', { type: 'u', value: 60000 }],
        ['I', { type: 'I', value: -70000 }],
        ['i', { type: 'i', value: 4_000_000_000 }],
        ['l', { type: 'l', value: -5_000_000_000 }],
        ['f', { type: 'f', value: 0.5 }],
        ['d', { type: 'd', value: 0.1 }],
        ['D', { type: 'D', value: { places: 2, digits: 314 } }],
        ['S', { type: 'S', value: 'é' }],
        ['x', { type: 'x', value: Buffer.from([1, 2]) }],
        [
          'A',
          {
            type: 'A',
            value: [
              { type: 'S', value: 'a' },
              { type: 'V', value: null },
            ],
          },
        ],
        ['T', { type: 'T', value: 1_700_000_000 }],
        ['F', { type: 'F', value: table(['in', { type: 'b', value: 1 }]) }],
        ['V', { type: 'V', value: null }],
      ),
    );
    expect(amqplib.decodeFields(bytes.subarray(4))).toEqual({
      t: true,
      b: -5,
      B: 200,
      s: -300,
      u: 60000,
      I: -70000,
      i: 4_000_000_000,
      l: -5_000_000_000,
      f: 0.5,
      d: 0.1,
      D: { '!': 'decimal', value: { places: 2, digits: 314 } },
      S: 'é',
      x: Buffer.from([1, 2]),
      A: ['a', null],
      T: { '!': 'timestamp', value: 1_700_000_000 },
      F: { in: 1 },
      V: null,
    });
  });

  it('writes what is decoded here', () => {
    const buffer = Buffer.alloc(1000);
    const bytes = amqplib.encodeTable(
      buffer,
      {
        t: false,
        b: 127,
        s: 128,
        I: 40000,
        l: 5_000_000_000,
        d: 1.5,
        f: { '!': 'float', value: 0.25 },
        B: { '!': 'uint8', value: 255 },
        u: { '!': 'uint16', value: 65535 },
        i: { '!': 'uint32', value: 4_294_967_295 },
        D: { '!': 'decimal', value: { places: 1, digits: 15 } },
        S: 'text',
        x: Buffer.from('raw'),
        A: [1, 'a', [true]],
        T: { '!': 'timestamp', value: 12 },
        F: { a: { b: null } },
      },
      0,
    );
    const decoded = decodeTable(buffer, 0, buffer.length, WIRE_LIMITS);
    expect(decoded.end).toBe(bytes);
    expect(decoded.table).toEqual(
      table(
        ['t', { type: 't', value: false }],
        ['b', { type: 'b', value: 127 }],
        ['s', { type: 's', value: 128 }],
        ['I', { type: 'I', value: 40000 }],
        ['l', { type: 'l', value: 5_000_000_000 }],
        ['d', { type: 'd', value: 1.5 }],
        ['f', { type: 'f', value: 0.25 }],
        ['B', { type: 'B', value: 255 }],
        ['u', { type: 'u', value: 65535 }],
        ['i', { type: 'i', value: 4_294_967_295 }],
        ['D', { type: 'D', value: { places: 1, digits: 15 } }],
        ['S', { type: 'S', value: 'text' }],
        ['x', { type: 'x', value: Buffer.from('raw') }],
        [
          'A',
          {
            type: 'A',
            value: [
              { type: 'b', value: 1 },
              { type: 'S', value: 'a' },
              { type: 'A', value: [{ type: 't', value: true }] },
            ],
          },
        ],
        ['T', { type: 'T', value: 12 }],
        [
          'F',
          {
            type: 'F',
            value: table(['a', { type: 'F', value: table(['b', { type: 'V', value: null }]) }]),
          },
        ],
      ),
    );
  });
});
