import { expect, test } from 'vitest';
import { nearest } from '../../src/config/nearest.ts';

const keys = ['heartbeat', 'frame_max', 'channel_max', 'data_dir', 'listeners.tcp.default'];

test.each([
  ['hearbeat', 'heartbeat'],
  ['Frame_Max', 'frame_max'],
  ['chanel_max', 'channel_max'],
  ['data-dir', 'data_dir'],
])('%s is taken for %s', (name, key) => {
  expect(nearest(name, keys)).toBe(key);
});

test.each(['management.tcp.port', 'x', ''])('%j is taken for nothing', (name) => {
  expect(nearest(name, keys)).toBeNull();
});
