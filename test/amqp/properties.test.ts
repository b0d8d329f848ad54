import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.ts';
import type { Properties } from '../../src/amqp/properties.ts';
import {
  checkProperties,
  decodeProperties,
  encodeContentHeaderPayload,
} from '../../src/amqp/properties.ts';
import { STORED_LIMITS } from '../../src/amqp/table-limits.ts';
import type { Random } from './random.ts';
import { withSeed } from './random.ts';

const FLAGS = 12;

interface AmqplibDefs {
  encodeProperties(id: number, channel: number, size: number, fields: object): Buffer;
  decode(id: number, payload: Buffer): Record<string, unknown>;
}

// The codec is no public part of amqplib, so it is loaded by its path.
const amqplib = createRequire(import.meta.url)(
  '../../node_modules/amqplib/lib/defs.js',
) as AmqplibDefs;

const WHOLE: Required<Properties> = {
  contentType: 'text/plain',
  contentEncoding: 'gzip',
  headers: new Map([['h', { type: 'S', value: 'é' }]]),
  deliveryMode: 2,
  priority: 255,
  correlationId: 'c',
  replyTo: 'r',
  expiration: '1000',
  messageId: 'm',
  timestamp: 1_700_000_000,
  type: 't',
  userId: 'u',
  appId: 'a',
  clusterId: 'k',
};

function randomProperties(random: Random): Properties {
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(WHOLE)) {
    if (random.bool()) continue;
    if (name === 'headers') properties[name] = random.table();
    else if (name === 'timestamp') properties[name] = random.pick([0, 7, 2n ** 64n - 1n]);
    else if (typeof value === 'number') properties[name] = random.below(256);
    else properties[name] = random.text(60);
  }
  return properties;
}

/** Checks and decodes; both must agree. Returns why the bytes were refused, or null. */
function refusal(payload: Buffer, end = payload.length): string | null {
  const checked = outcome(() => checkProperties(payload, FLAGS, end, STORED_LIMITS));
  const decoded = outcome(() => decodeProperties(payload, FLAGS, end));
  expect(decoded).toEqual(checked);
  return checked;
}

function outcome(body: () => unknown): string | null {
  try {
    body();
    return null;
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error;
    expect(error.replyName).toBe('SYNTAX_ERROR');
    return error.replyText;
  }
}

function withFlags(flags: number, ...list: readonly number[]): Buffer {
  return Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, flags >> 8, flags & 255, ...list]);
}

describe('content headers', () => {
  it('know the properties of the XML in its order', () => {
    const xml = JSON.parse(
      readFileSync(new URL('../fixtures/amqp-spec.json', import.meta.url), 'utf8'),
    ) as { classes: { basic: { properties: [string, string][] } } };
    const names = xml.classes.basic.properties.map(([name]) =>
      name === 'reserved' ? 'clusterId' : name.replace(/-(.)/g, (_, c: string) => c.toUpperCase()),
    );
    expect(Object.keys(WHOLE)).toEqual(names);
    names.forEach((name, i) => {
      const one = { [name]: WHOLE[name as keyof Properties] } as Properties;
      expect(encodeContentHeaderPayload(0, one).readUInt16BE(FLAGS)).toBe(0x8000 >> i);
    });
  });

  it('begin with class, weight and a 64-bit body size', () => {
    const payload = encodeContentHeaderPayload(2 ** 40 + 3, {});
    expect(payload.toString('hex')).toBe('003c0000' + '0000010000000003' + '0000');
  });

  it('come back as they were encoded', () => {
    withSeed((random) => {
      for (let round = 0; round < 1000; round += 1) {
        const given = randomProperties(random);
        const payload = encodeContentHeaderPayload(random.below(1e9), given);
        expect(decodeProperties(payload, FLAGS, payload.length)).toEqual(given);
        checkProperties(payload, FLAGS, payload.length, STORED_LIMITS);
      }
    });
  });

  it('hold bytes that are no UTF-8, as publishers with binary ids send them', () => {
    const payload = withFlags(0x8000 >> 5, 2, 0xff, 0xfe);
    expect(refusal(payload)).toBeNull();
    expect(decodeProperties(payload, FLAGS, payload.length)).toEqual({
      correlationId: '\ufffd\ufffd',
    });
  });

  it('are refused when cut short anywhere, or followed by more', () => {
    withSeed((random) => {
      for (let round = 0; round < 50; round += 1) {
        const payload = encodeContentHeaderPayload(1, randomProperties(random));
        for (let end = FLAGS; end < payload.length; end += 1) {
          expect(refusal(payload, end)).not.toBeNull();
        }
        expect(refusal(Buffer.concat([payload, Buffer.alloc(2)]))).toContain('2 bytes after');
      }
    });
  });

  it('are refused with flags that basic lacks, the continuation flag included', () => {
    expect(refusal(withFlags(0x0001, 0, 0))).toContain('flags that the basic class lacks');
    expect(refusal(withFlags(0x0002))).toContain('flags that the basic class lacks');
  });

  it('are refused when their headers are malformed', () => {
    expect(refusal(withFlags(0x2000, 0, 0, 0, 9))).toContain('malformed field table');
    expect(refusal(withFlags(0x2000, 0, 0, 0, 3, 1, 97, 113))).toContain('unknown type 0x71');
  });

  it('of random bytes raise nothing but an AmqpError, the same from check and decode', () => {
    withSeed((random) => {
      for (let round = 0; round < 5000; round += 1) {
        const flags = random.below(0x10000) & (random.bool() ? 0xfffc : 0x8ffc);
        refusal(withFlags(flags, ...random.bytes(60)));
      }
    });
  });
});

describe("amqplib's properties", () => {
  // amqplib's own constant for the properties of the basic class.
  const BASIC_PROPERTIES = 60;

  it('are read here', () => {
    const frame = amqplib.encodeProperties(BASIC_PROPERTIES, 1, 77, {
      ...WHOLE,
      headers: { h: 'é' },
    });
    const payload = frame.subarray(7, frame.length - 1);
    expect(payload.readUInt32BE(8)).toBe(77);
    expect(decodeProperties(payload, FLAGS, payload.length)).toEqual(WHOLE);
    expect(encodeContentHeaderPayload(77, WHOLE).equals(payload)).toBe(true);
  });

  it('are written here', () => {
    const payload = encodeContentHeaderPayload(1, WHOLE);
    expect(amqplib.decode(BASIC_PROPERTIES, payload.subarray(FLAGS))).toEqual({
      ...WHOLE,
      headers: { h: 'é' },
    });
  });
});
