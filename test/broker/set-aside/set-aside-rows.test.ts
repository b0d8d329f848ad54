// Owns the tests of how messages that were set aside lie in the store.

import { expect, test } from 'vitest';
import {
  readSetAsideRow,
  type SetAsideMessage,
} from '../../../src/broker/set-aside/set-aside-rows.ts';
import { encodeRow } from '../../../src/store/row.ts';

const KEY = Buffer.from([0, 0, 0, 0, 0, 7]);

test('a row is read as all versions so far have written it', () => {
  const fields = { vhost: '/', queue: 'q', queueId: 3, seq: 4, position: 65_536, bodyBytes: 5 };
  const rest = { doing: 'expiry', error: 'Error: x', atMs: 1_700_000_000_000 };
  const message: SetAsideMessage = { id: 7, ...fields, flags: 1, ...rest };
  expect(readSetAsideRow(KEY, encodeRow({ id: 7, ...fields, traits: 1, ...rest }))).toEqual(
    message,
  );
});

test('a row without flags is damaged', () => {
  const row = encodeRow({ id: 7, vhost: '/', queue: 'q', queueId: 3, seq: 4, position: 1 });
  expect(() => readSetAsideRow(KEY, row)).toThrow('missing or out of range');
});
