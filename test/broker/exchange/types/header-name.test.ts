import { expect, test } from 'vitest';
import { HeaderNames } from '../../../../src/broker/exchange/types/header-name.ts';

test('a name is one as long as somebody holds it', () => {
  const names = new HeaderNames();
  const first = names.take('ключ');
  expect(names.take('ключ')).toBe(first);
  expect(first.bytes).toEqual(Buffer.from('ключ'));
  names.release(first);
  expect(names.take('ключ')).toBe(first);
  names.release(first);
  names.release(first);
  expect(names.size).toBe(0);
  expect(names.take('ключ')).not.toBe(first);
});
