import { expect, test } from 'vitest';
import { suggest } from '../../src/config/suggest.ts';

const keys = ['heartbeat', 'frame_max', 'channel_max', 'data_dir', 'listeners.tcp.default'];

test.each([
  ['hearbeat', 'heartbeat'],
  ['Frame_Max', 'frame_max'],
  ['chanel_max', 'channel_max'],
  ['data-dir', 'data_dir'],
])('%s is taken for %s', (name, key) => {
  expect(suggest(name, keys)).toBe(key);
});

test('a name longer than any is taken for nothing, however many letters it has', () => {
  expect(suggest('heartbeat'.repeat(12), ['heartbeat'.repeat(12)])).toBeNull();
});

test.each(['management.tcp.port', 'x', ''])('%j is taken for nothing', (name) => {
  expect(suggest(name, keys)).toBeNull();
});
