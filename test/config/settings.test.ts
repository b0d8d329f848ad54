import { expect, test } from 'vitest';
import type { Setting } from '../../src/config/setting.ts';
import { defaultSettings, SETTINGS } from '../../src/config/settings.ts';

const rows: [string, Setting<unknown>][] = Object.entries(SETTINGS);

test.each(rows)('the default of %s can be written down and read back', (_field, row) => {
  expect(row.read(row.show(row.initial), row.initial)).toEqual(row.initial);
});

test.each(rows)('%s says what it is for in whole sentences', (_field, row) => {
  expect(row.about).toMatch(/^[A-Z][^\n]*\.$/);
});

test('no key, variable or flag stands for two settings', () => {
  const all = rows.flatMap(([, row]) => [
    row.key,
    ...[...row.variables, ...row.flags].map((spelling) => spelling.name),
  ]);
  expect(new Set(all).size).toBe(all.length);
});

test('the default settings are the defaults of the rows', () => {
  const settings = defaultSettings();
  expect(Object.keys(settings)).toEqual(Object.keys(SETTINGS));
  expect(settings.tcpListeners.get('default')).toEqual({ host: '127.0.0.1', port: 5672 });
  expect(settings.sslListeners.size).toBe(0);
  expect(settings.connectionMax).toBe(Number.POSITIVE_INFINITY);
});
