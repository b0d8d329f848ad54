import { expect, test } from 'vitest';
import { refusalOf } from '../../src/config/refused-keys.ts';
import { SETTINGS } from '../../src/config/settings.ts';

test.each([
  ['ssl_options.crl_check', 'revoked'],
  ['ssl_options.psk_identity', 'pre-shared'],
  ['ssl_options.key.RSAPrivateKey', 'from files only'],
  ['ssl_options.cacerts.1', 'from files only'],
  ['ssl_options.cert', 'from files only'],
  ['ssl_options.dh', 'from a file only'],
  ['ssl_options.log_alert', 'logged as warnings'],
  ['log.file', 'standard output alone'],
  ['log.file.level', 'standard output alone'],
  ['log.connection.level', 'one level for all'],
  ['log.console.level', 'one level for all'],
  ['tcp_listen_options.sndbuf', 'to the system'],
  ['tcp_listen_options.linger.timeout', 'to the system'],
  ['tcp_listen_options.send_timeout_close', 'always ends'],
  ['definitions.import_backend', 'from files alone'],
  ['definitions.local.path', 'from files alone'],
  ['management.load_definitions', 'from files alone'],
])('%s is refused, with the reason', (key, reason) => {
  expect(refusalOf(key)?.what).toContain(reason);
  expect(refusalOf(key)?.wayOut).toMatch(/^(use|remove|name) /);
});

test('no key of the table is refused', () => {
  for (const { key } of Object.values(SETTINGS)) expect(refusalOf(key), key).toBeNull();
});
