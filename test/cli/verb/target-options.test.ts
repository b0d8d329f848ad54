// Owns the tests of which broker the options of a verb name. Never talks to one.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UsageError } from '../../../src/cli/exit-codes.ts';
import { HttpApi } from '../../../src/cli/verb/http-api.ts';
import { targetFor } from '../../../src/cli/verb/target-options.ts';

beforeEach(() => vi.stubEnv('LEVERET_URL', ''));
afterEach(() => vi.unstubAllEnvs());

const reached = (options: Readonly<Record<string, string>>): string =>
  new HttpApi(targetFor(options)).base;

test('a host, a port or both change only that part of the address', () => {
  expect(reached({ host: 'prod' })).toBe('http://prod:15672');
  expect(reached({ host: 'PROD.example', port: '80' })).toBe('http://prod.example');
  expect(reached({ host: '10.0.0.7', port: '15673' })).toBe('http://10.0.0.7:15673');
  expect(reached({ host: '2001:DB8::1' })).toBe('http://[2001:db8::1]:15672');
  expect(reached({ host: '[2001:db8::1]' })).toBe('http://[2001:db8::1]:15672');
  vi.stubEnv('LEVERET_URL', 'https://admin:secret@broker/below');
  expect(reached({ host: 'prod' })).toBe('https://prod/below');
});

test.each([
  'prod:15672',
  'http://prod',
  'prod/',
  'prod/api',
  'prod\\api',
  'admin@prod',
  'admin:secret@prod',
  'prod?x',
  'prod#x',
  'pr od',
  ' prod',
  'prod\t',
  '',
  '[::1',
  '::1]:15672',
  '[::1]:15672',
  '1::2::3',
  'fe80::1%eth0',
  '[prod]',
  '999.1.1.1',
  'a%zz',
  'a|b',
])('what is no host alone is refused, and no other broker is asked: %j', (host) => {
  for (const url of ['', 'http://admin:secret@broker:1']) {
    vi.stubEnv('LEVERET_URL', url);
    const call = (): string => reached({ host });
    expect(call).toThrow(UsageError);
    expect(call).toThrow('--host takes a host alone');
    expect(call).not.toThrow('secret');
  }
});

test('an empty --url, as a script makes of a variable that is not set, means no broker of this machine', () => {
  expect(() => reached({ url: '' })).toThrow(UsageError);
});
