// Owns the tests of which declarations have the same arguments.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { checkSameQueueArguments } from '../../../../src/broker/queue/arguments/same-arguments.ts';

const int = (value: number): Field => ({ type: 'I', value });
const text = (value: string): Field => ({ type: 'S', value });

const PRECONDITION_FAILED = { replyName: 'PRECONDITION_FAILED', hard: false };

test('redeclaring compares known arguments by value, whatever the width of an integer', () => {
  const compare = (a: Record<string, Field>, b: Record<string, Field>): void => {
    const [ours, theirs] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
    checkSameQueueArguments('q', '/', ours, theirs);
  };
  expect(() => compare({ 'x-max-length': int(5) }, { 'x-max-length': int(5) })).not.toThrow();
  const wide: Field = { type: 'l', value: 5 };
  expect(() => compare({ 'x-max-length': int(5) }, { 'x-max-length': wide })).not.toThrow();
  expect(() => compare({ 'x-queue-type': text('classic') }, {})).not.toThrow();
  expect(() => compare({ mine: int(1) }, { mine: int(2) })).not.toThrow();
  for (const other of [{}, { 'x-max-length': int(6) }]) {
    const refusal = expect.objectContaining(PRECONDITION_FAILED);
    expect(() => compare({ 'x-max-length': int(5) }, other)).toThrow(refusal);
    expect(() => compare(other, { 'x-max-length': int(5) })).toThrow(refusal);
  }
});
