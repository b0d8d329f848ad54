// Owns the tests of which origins a browser is told that it may show answers to. Never asks a server.

import { expect, test } from 'vitest';
import { checkPage, corsHeaders } from '../../../src/management/http/origins.ts';

const allowing = (...origins: string[]) => ({ hosts: ['*'], origins, machine: 'here' });
const ALLOWED = 'access-control-allow-origin';

test('any origin means every page with a name, and not the origin null of sandboxed pages and files', () => {
  const headers = { host: 'mq', origin: 'null' };
  const peer = '192.0.2.1';
  expect(corsHeaders({ origin: 'https://a.example' }, allowing('*'))).toMatchObject({
    [ALLOWED]: 'https://a.example',
    'access-control-allow-credentials': 'true',
  });
  for (const origin of ['null', 'NULL']) {
    expect(corsHeaders({ origin }, allowing('*', 'https://a.example'))).toEqual({ vary: 'origin' });
  }
  expect(() => checkPage(headers, peer, allowing('*'))).toThrow('pages of "null" may not do this');
  expect(corsHeaders(headers, allowing('null'))).toMatchObject({ [ALLOWED]: 'null' });
  expect(() => checkPage(headers, peer, allowing('null'))).not.toThrow();
});

test('each answer says that it hangs on the origin, so that no cache shows it to a page of another one', () => {
  const origins = [undefined, 'https://other.example', 'https://a.example'];
  for (const origin of origins) {
    const headers = origin === undefined ? {} : { origin };
    expect(corsHeaders(headers, allowing('https://a.example'))).toMatchObject({ vary: 'origin' });
  }
});
