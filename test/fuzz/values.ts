// Owns values of every type of the wire at the edges of their ranges, as plain JSON, so that a case can be
// written down and played again; and what they are as bytes. Never knows what a broker makes of them.
import type { Random } from '../amqp/random.ts';

/** Some bytes: as text, as hex digits, or one text many times. */
export type Text =
  | string
  | { readonly hex: string }
  | { readonly of: string; readonly times: number };

/** A value of a table: its type on the wire, and what it holds. Integers are texts, for their 64 bits. */
export type Odd =
  | readonly ['t', boolean]
  | readonly ['b' | 'B' | 's' | 'u' | 'I' | 'i' | 'l' | 'T', string]
  | readonly ['f' | 'd', string]
  | readonly ['D', string]
  | readonly ['S' | 'x', Text]
  | readonly ['A', readonly Odd[]]
  | readonly ['F', Entries]
  | readonly ['V']
  /** So many tables or arrays, one in the other. */
  | readonly ['deep', 'A' | 'F', number];

export type Entries = readonly (readonly [Text, Odd])[];

const INTEGER_BYTES = { b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, l: 8, T: 8 } as const;
type IntegerType = keyof typeof INTEGER_BYTES;
const INTEGER_TYPES = Object.keys(INTEGER_BYTES) as IntegerType[];

const EDGES = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  5n,
  10n,
  31n,
  32n,
  33n,
  50n,
  100n,
  255n,
  256n,
  257n,
  1000n,
  60_000n,
].concat(
  [7n, 8n, 15n, 16n, 31n, 32n, 53n, 62n, 63n, 64n].flatMap((bits) => [
    2n ** bits - 1n,
    2n ** bits,
    2n ** bits + 1n,
    -(2n ** bits),
  ]),
  [315_360_000_000n, 315_360_000_001n],
);
const FRACTIONS = [
  '0',
  '-0',
  '1',
  '1.5',
  '-1',
  '0.1',
  '1e30',
  '-1e30',
  '1e308',
  '5e-324',
  'NaN',
  'Infinity',
  '-Infinity',
  '9007199254740993',
];

/** Texts that are odd by themselves, whatever they are for. */
export const ODD_TEXTS: readonly Text[] = [
  '',
  'a',
  '0',
  '1',
  '-1',
  '50',
  '1.5',
  '1e3',
  ' 1',
  '0x10',
  'true',
  'null',
  'all',
  'any',
  'guest',
  '__proto__',
  'constructor',
  'toString',
  'a.b.c',
  '*.#',
  '#',
  '\r\n',
  '\u0000',
  'nul\u0000inside',
  '\u001b[2J',
  'é',
  '日本',
  '😀',
  '\ufffd',
  '\ufeff',
  '%2F',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999999',
  '315360000000',
  '315360000001',
  'amq.rabbitmq.reply-to',
  'amq.rabbitmq.reply-to.x',
  'amq.gen-x',
  'amq.direct',
  { hex: 'ff' },
  { hex: 'c328' },
  { hex: 'eda080' },
  { hex: 'f4908080' },
  { hex: '00ff00ff' },
  { of: 'x', times: 254 },
  { of: 'x', times: 255 },
  { of: 'x', times: 256 },
  { of: 'é', times: 127 },
  { of: 'é', times: 128 },
  { of: '😀', times: 64 },
  { of: 'x', times: 300 },
  { of: 'x', times: 4096 },
  { of: 'a.', times: 127 },
];

/** The bytes of a text. */
export function bytesOf(text: Text): Buffer {
  if (typeof text === 'string') return Buffer.from(text);
  return 'hex' in text ? Buffer.from(text.hex, 'hex') : Buffer.from(text.of.repeat(text.times));
}

/** The bytes of a text that has to be short: more than 255 cannot be said. */
export function shortOf(text: Text): Buffer {
  return bytesOf(text).subarray(0, 255);
}

/** A whole table, its length in front. */
export function tableOf(entries: Entries): Buffer {
  return sized(
    entries.flatMap(([key, odd]) => {
      const name = shortOf(key);
      return [Buffer.of(name.length), name, fieldOf(odd)];
    }),
  );
}

function sized(parts: readonly Buffer[]): Buffer {
  const inner = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(inner.length);
  return Buffer.concat([length, inner]);
}

/** A value with its type in front. */
function fieldOf(odd: Odd): Buffer {
  const type = Buffer.from(odd[0] === 'deep' ? odd[1] : odd[0]);
  switch (odd[0]) {
    case 'V':
      return type;
    case 't':
      return Buffer.concat([type, Buffer.of(odd[1] ? 1 : 0)]);
    case 'f':
    case 'd':
      return Buffer.concat([type, fraction(odd[0], Number(odd[1]))]);
    case 'D':
      return Buffer.concat([type, Buffer.from(odd[1], 'hex')]);
    case 'S':
    case 'x':
      return Buffer.concat([type, sized([bytesOf(odd[1])])]);
    case 'A':
      return Buffer.concat([type, sized(odd[1].map(fieldOf))]);
    case 'F':
      return Buffer.concat([type, tableOf(odd[1])]);
    case 'deep':
      return deep(odd[1], odd[2]);
    default:
      return Buffer.concat([type, integer(odd[0], BigInt(odd[1]))]);
  }
}

function deep(kind: 'A' | 'F', depth: number): Buffer {
  let value = fieldOf(['V']);
  for (let n = 0; n < depth; n++) {
    const inner = kind === 'A' ? [value] : [Buffer.from('\x01k'), value];
    value = Buffer.concat([Buffer.from(kind), sized(inner)]);
  }
  return value;
}

function fraction(type: 'f' | 'd', value: number): Buffer {
  const bytes = Buffer.alloc(type === 'f' ? 4 : 8);
  if (type === 'f')
    bytes.writeFloatBE(Math.abs(value) > 3.4e38 ? Math.sign(value) * Infinity : value);
  else bytes.writeDoubleBE(value);
  return bytes;
}

function integer(type: IntegerType, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, value));
  return bytes.subarray(8 - INTEGER_BYTES[type]);
}

/** An integer of any width, at an edge of some width. */
export function oddInteger(random: Random): Odd {
  return [random.pick(INTEGER_TYPES), String(random.pick(EDGES))];
}

/** A text or bytes. */
export function oddText(random: Random): Odd {
  return [random.below(4) === 0 ? 'x' : 'S', random.pick(ODD_TEXTS)];
}

/** Any value of any type, some levels deep. */
export function oddValue(random: Random, depth = 3): Odd {
  switch (random.below(depth > 0 ? 12 : 8)) {
    case 0:
      return ['t', random.bool()];
    case 1:
      return [random.bool() ? 'd' : 'f', random.pick(FRACTIONS)];
    case 2:
      return ['D', random.pick(['0000000001', 'ff00000001', '0080000000', '02ffffffff'])];
    case 3:
      return ['V'];
    case 4:
    case 5:
      return oddText(random);
    case 6:
    case 7:
      return oddInteger(random);
    case 8:
      return ['deep', random.pick(['A', 'F']), random.pick([1, 2, 8, 29, 30, 31, 32, 33, 100])];
    case 9:
      return ['F', oddEntries(random, depth - 1)];
    default:
      return ['A', many(random, 4, () => oddValue(random, depth - 1))];
  }
}

/** A few entries of any kind. */
export function oddEntries(random: Random, depth = 2): Entries {
  return many(random, 4, () => [random.pick(ODD_TEXTS), oddValue(random, depth)] as const);
}

export function many<T>(random: Random, countMax: number, make: () => T): T[] {
  return Array.from({ length: random.below(countMax + 1) }, make);
}

/** The value in JSON, as an operator might write it; integers keep all their digits. */
export function jsonOf(odd: Odd): string {
  switch (odd[0]) {
    case 'V':
      return 'null';
    case 't':
      return String(odd[1]);
    case 'f':
    case 'd':
      return Number.isFinite(Number(odd[1])) ? odd[1] : JSON.stringify(odd[1]);
    case 'S':
    case 'x':
      return JSON.stringify(bytesOf(odd[1]).toString());
    case 'A':
      return `[${odd[1].map(jsonOf).join()}]`;
    case 'F':
      return `{${odd[1].map(([key, value]) => `${JSON.stringify(bytesOf(key).toString())}:${jsonOf(value)}`).join()}}`;
    case 'deep': {
      const [open, close] = odd[1] === 'A' ? ['[', ']'] : ['{"k":', '}'];
      return `${open.repeat(odd[2])}1${close.repeat(odd[2])}`;
    }
    default:
      return odd[1];
  }
}
