// Owns the run of the fuzzer of messages: a few cases from a fixed seed in every test run, more by
// `npm run fuzz -- messages`. A case that fails is made small and printed, to be played again.
import { test } from 'vitest';
import { makeMessageCase, type Op } from './message-cases.ts';
import { runMessageCase } from './message-run.ts';
import { type Kind, lengthOf, runKind, timeoutOf } from './session.ts';

/** In every test run: what takes a few seconds. */
const length = lengthOf(30);

const MESSAGES: Kind<Op> = {
  name: 'messages',
  make: (seed) => makeMessageCase(seed, { hard: length.seconds !== null }),
  play: runMessageCase,
};

test(
  'no argument, header or property harms anybody on any way of a message',
  { timeout: timeoutOf(length) },
  () => runKind(MESSAGES, length),
);
