// Owns the tests of the error for users.

import { expect, test } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.ts';
import { Refusal } from '../../src/broker/errors.ts';
import { StoreError } from '../../src/store/errors.ts';
import { UserError } from '../../src/util/user-error.ts';

test('the way out is said once, whether the message has it or not', () => {
  expect(new UserError('it broke', { hint: 'mend it' }).advice).toBe('it broke: mend it');
  expect(new StoreError('it broke', 'mend it').advice).toBe('it broke: mend it');
  expect(new Refusal('invalid', 'there is no such thing').advice).toBe('there is no such thing');
});

test('an error without a hint or a cause has no field of that name, which a log would show', () => {
  for (const error of [new UserError('x'), new AmqpError('NOT_FOUND', 'x')]) {
    expect(Object.keys(error)).not.toContain('hint');
    expect(Object.hasOwn(error, 'cause')).toBe(false);
  }
  expect(Object.hasOwn(new StoreError('x', 'y'), 'cause')).toBe(false);
  const cause = new Error('below');
  expect(new StoreError('x', 'y', { cause }).cause).toBe(cause);
});
