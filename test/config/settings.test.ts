import { expect, test } from 'vitest';
import { FIELD_DEPTH_MAX, WIRE_LIMITS } from '../../src/amqp/table-limits.ts';
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
  expect(settings.tcpListeners.get('default')).toEqual({ host: 'localhost', port: 5672 });
  expect(settings.sslListeners.size).toBe(0);
  expect(settings.connectionMax).toBe(Number.POSITIVE_INFINITY);
  expect(settings).toMatchObject(WIRE_LIMITS);
});

test('tables that a setting lets in can be read back', () => {
  const deepest = SETTINGS.tableDepthMax.read(String(FIELD_DEPTH_MAX), 0);
  expect(deepest).toBe(FIELD_DEPTH_MAX);
  expect(() => SETTINGS.tableDepthMax.read(String(FIELD_DEPTH_MAX + 1), 0)).toThrow();
});
