import { expect, test } from 'vitest';
import { takesGzip } from '../../src/management/answers/gzips.ts';
import { endpointOf } from '../../src/metrics/query.ts';
import { writeNumber } from '../../src/metrics/text.ts';

test('paths below the one that is set mean metrics, and nothing else does', () => {
  expect(endpointOf('/metrics', '/metrics')).toBe('aggregated');
  expect(endpointOf('/metrics/', '/metrics')).toBe('aggregated');
  expect(endpointOf('/metrics/per-object?x', '/metrics')).toBe('per-object');
  expect(endpointOf('/metrics/detailed?family=a', '/metrics')).toBe('detailed');
  expect(endpointOf('/detailed', '')).toBe('detailed');
  expect(endpointOf('/', '')).toBe('aggregated');
  for (const odd of ['//', '*', '/metricsx', '/metrics/__proto__', '/metrics/x', undefined, '']) {
    expect(endpointOf(odd, '/metrics'), odd).toBeNull();
  }
});

test('gzip is for clients that name it and do not refuse it', () => {
  const takes = ['gzip', 'deflate, GZIP;q=0.5', ['br', 'gzip']];
  for (const header of takes) expect(takesGzip(header), String(header)).toBe(true);
  const refuses = ['', 'gzip;q=0', 'gzip; q=0.000', 'identity', 'xgzip', undefined];
  for (const header of refuses) expect(takesGzip(header), header).toBe(false);
});

test('numbers are written in the words of the format', () => {
  const numbers = [1.5, Number.NaN, Infinity, -Infinity, 1e21];
  expect(numbers.map(writeNumber)).toEqual(['1.5', 'NaN', '+Inf', '-Inf', '1e+21']);
});
