import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { checkExchangeArguments } from '../../../src/broker/exchange/arguments.ts';

const text = (value: string): Field => ({ type: 'S', value });
const HASH = 'x-consistent-hash';

const check = (type: string, args: Record<string, Field>) => () =>
  checkExchangeArguments('x', '/', type, new Map(Object.entries(args)));

test.each<[string, string, Record<string, Field>]>([
  ['no arguments', 'direct', {}],
  ['an alternate exchange', 'direct', { 'alternate-exchange': text('a') }],
  ['an alternate exchange without a name', 'topic', { 'alternate-exchange': text('') }],
  ['arguments that nothing knows', 'direct', { 'x-mine': { type: 'V', value: null } }],
  ['a header to hash', HASH, { 'hash-header': text('') }],
  ['a property to hash', HASH, { 'hash-property': text('timestamp') }],
  ['what another type would read', 'fanout', { 'hash-property': { type: 'I', value: 1 } }],
])('takes %s', (_what, type, args) => {
  expect(check(type, args)).not.toThrow();
});

test.each<[string, string, Record<string, Field>]>([
  [
    "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    'direct',
    { 'alternate-exchange': { type: 'I', value: 1 } },
  ],
  [
    "invalid type 'bool' for arg 'hash-header' in exchange 'x' in vhost '/'",
    HASH,
    { 'hash-header': { type: 't', value: true } },
  ],
  ['Unsupported property: app_id', HASH, { 'hash-property': text('app_id') }],
  [
    'hash-header and hash-property are mutually exclusive',
    HASH,
    { 'hash-property': text('app_id'), 'hash-header': text('h') },
  ],
])('refuses: %s', (message, type, args) => {
  expect(check(type, args)).toThrow(`PRECONDITION_FAILED - ${message}`);
});
