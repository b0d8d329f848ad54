// Owns the tests of what the headers of a message say of when it is due.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../../src/amqp/property-walk.ts';
import { delayAt, delayIn, delayOf } from '../../../../src/broker/queue/delay/delay-headers.ts';
import {
  DuePlaces,
  headerSigns,
  SIGN_DELAY,
  SIGN_DUE,
} from '../../../../src/broker/routing/header-signs.ts';
import { withSeed } from '../../../amqp/random.ts';

const WALL_MS = 1_700_000_000_123;

/** Values that such a header may have, and how many ms from now on each means: as `x-delay`, and as `x-deliver-at`. */
const VALUES: readonly (readonly [Field, number | null, number | null])[] = [
  [{ type: 'b', value: -5 }, -5, -5 - WALL_MS],
  [{ type: 'B', value: 200 }, 200, 200 - WALL_MS],
  [{ type: 's', value: -300 }, -300, -300 - WALL_MS],
  [{ type: 'u', value: 60_000 }, 60_000, 60_000 - WALL_MS],
  [{ type: 'I', value: 86_400_000 }, 86_400_000, 86_400_000 - WALL_MS],
  [{ type: 'i', value: 4_000_000_000 }, 4_000_000_000, 4_000_000_000 - WALL_MS],
  [{ type: 'l', value: WALL_MS + 5_000 }, WALL_MS + 5_000, 5_000],
  [{ type: 'd', value: 1_500.7 }, 1_500, 1_500 - WALL_MS],
  [{ type: 'S', value: '2500' }, 2_500, 2_500 - WALL_MS],
  [{ type: 'S', value: 'soon' }, null, null],
  [{ type: 'T', value: 1_700_000_060 }, null, 59_877],
  [{ type: 't', value: true }, null, null],
];

/** The payload of a content header with these headers, and where those stand that say when it is due. */
function read(headers: FieldTable) {
  const payload = encodeContentHeaderPayload(0, { contentType: 'a/b', headers });
  const places = new DuePlaces();
  const signs = headerSigns(payload, PROPERTY_FLAGS_OFFSET, places);
  return { payload, places, signs };
}

test('each type of a header means so many ms from now on, wherever it is looked for', () => {
  for (const [field, asDelay, asTime] of VALUES) {
    for (const [name, meant] of [
      ['x-delay', asDelay],
      ['x-deliver-at', asTime],
    ] as const) {
      const { payload, places } = read(new Map([[name, field]]));
      const what = `${name} ${field.type} ${field.value}`;
      expect(delayIn(payload, places, WALL_MS, false), what).toBe(meant);
      expect(delayAt(payload, PROPERTY_FLAGS_OFFSET, WALL_MS, false), what).toBe(meant);
    }
  }
});

test('among any headers the places found at a first look are those that a search by name finds', () => {
  withSeed((random) => {
    const some = (): Field => (VALUES[random.below(VALUES.length)] as (typeof VALUES)[number])[0];
    for (let n = 0; n < 500; n++) {
      const entries = [...random.table()].filter(([name]) => !name.startsWith('x-de'));
      const named: string[] = [];
      for (const name of ['x-delay', 'x-deliver-at', 'x-delaz', 'x-deliver-by']) {
        if (random.below(2) === 0) continue;
        named.push(name);
        entries.splice(random.below(entries.length + 1), 0, [name, some()]);
      }
      const headers = new Map(entries);
      const { payload, places, signs } = read(headers);
      expect((signs & SIGN_DELAY) !== 0).toBe(named.includes('x-delay'));
      expect((signs & SIGN_DUE & ~SIGN_DELAY) !== 0).toBe(named.includes('x-deliver-at'));
      for (const negated of [false, true]) {
        const found = delayIn(payload, places, WALL_MS, negated);
        expect(found).toBe(delayAt(payload, PROPERTY_FLAGS_OFFSET, WALL_MS, negated));
      }
      expect(delayIn(payload, places, WALL_MS, false)).toBe(delayOf(headers, WALL_MS));
    }
  });
});

test('what was looked at before has no part in it', () => {
  const places = new DuePlaces();
  for (const headers of [new Map([['x-delay', VALUES[4]?.[0] as Field]]), new Map()]) {
    const payload = encodeContentHeaderPayload(0, { headers });
    headerSigns(payload, PROPERTY_FLAGS_OFFSET, places);
    const delayMs = delayIn(payload, places, WALL_MS, false);
    expect(delayMs).toBe(headers.size === 0 ? null : 86_400_000);
  }
});
