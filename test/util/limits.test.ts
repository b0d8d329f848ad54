// Owns the tests of the limits that the wire sets: what fits, and what is cut, down to the byte.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WIRE_LIMITS } from '../../src/amqp/table-limits.ts';
import { EXPIRY_MAX_MS } from '../../src/broker/queue/arguments/argument-values.ts';
import {
  DESCRIPTION_BYTES_MAX,
  heldToInt64,
  INT64_MAX,
  INT64_MIN,
  isShort,
  SHORT_BYTES_MAX,
  shortBytes,
  VALUE_BYTES_MAX,
  VALUE_DEPTH_MAX,
} from '../../src/util/limits.ts';

test('a text fits into a short string by its bytes, not by its characters', () => {
  for (const sign of ['k', 'é', '日', '😀', '\ud800']) {
    const bytes = Buffer.byteLength(sign);
    const most = Math.floor(255 / bytes);
    expect([isShort(sign.repeat(most)), isShort(sign.repeat(most + 1))], sign).toEqual([
      true,
      false,
    ]);
    const cut = shortBytes(sign.repeat(1000));
    expect(cut.length).toBe(most * bytes);
    expect(cut.toString()).toBe(Buffer.from(sign.repeat(most)).toString());
  }
});

test('bytes that are no text are cut to 255 at most, whatever they are', () => {
  for (const octet of [0x00, 0x80, 0xbf, 0xc0, 0xff]) {
    const { length } = shortBytes(Buffer.alloc(300, octet));
    expect(length).toBeGreaterThan(251);
    expect(length).toBeLessThan(256);
  }
});

test('an integer beyond 64 bits is held at the end of the range', () => {
  expect(heldToInt64(INT64_MAX + 1n)).toBe(INT64_MAX);
  expect(heldToInt64(INT64_MIN - 1n)).toBe(INT64_MIN);
  expect([heldToInt64(5n), heldToInt64(2n ** 53n)]).toEqual([5, 2n ** 53n]);
});

test('the page on security names the limits as they are', () => {
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  const limitOf = (what: string): string =>
    rows.find((row) => row.startsWith(`| ${what}`))?.split(' | ')[1] ?? `no row for ${what}`;
  for (const [what, limit] of [
    ['names of queues', `${SHORT_BYTES_MAX} bytes of UTF-8`],
    ['`x-dead-letter-exchange`', `${SHORT_BYTES_MAX} bytes of UTF-8`],
    ['keys of headers', `${SHORT_BYTES_MAX} bytes of UTF-8`],
    ['nesting of headers', `\`field_table_max_depth\`, ${WIRE_LIMITS.tableDepthMax}`],
    ['entries of headers', `\`field_table_max_entries\`, ${WIRE_LIMITS.tableEntriesMax}`],
    ['nesting of one value', `${VALUE_DEPTH_MAX}`],
    ['size of one such', `${VALUE_BYTES_MAX} bytes of JSON`],
    ['the description', `${DESCRIPTION_BYTES_MAX} bytes`],
    ['`expiration`', `${EXPIRY_MAX_MS} ms`],
  ] as const) {
    expect(limitOf(what)).toBe(limit);
  }
});
