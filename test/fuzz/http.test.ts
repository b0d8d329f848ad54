// Owns the run of the fuzzer of HTTP: a few cases from a fixed seed in every test run, more by
// `npm run fuzz -- http`. A case that fails is made small and printed, to be played again.
import { test } from 'vitest';
import { type HttpStep, makeHttpCase } from './http-cases.ts';
import { runHttpCase } from './http-run.ts';
import { type Kind, lengthOf, runKind, timeoutOf } from './session.ts';

/** In every test run: what takes a few seconds. */
const length = lengthOf(15);

const HTTP: Kind<HttpStep> = {
  name: 'http',
  make: (seed) => makeHttpCase(seed, length.seconds !== null),
  play: runHttpCase,
};

test(
  'no request harms the broker, its lists or its next start',
  { timeout: timeoutOf(length) },
  () => runKind(HTTP, length),
);
