import { type Logger, pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { safeLogger } from '../../../src/util/log/safe-logger.ts';

/** A logger of some program, with what it writes. */
function programLogger(level = 'info') {
  const lines: string[] = [];
  const logger = pino({ level, base: null }, { write: (line: string) => lines.push(line) });
  const last = () => JSON.parse(lines.at(-1) as string) as Record<string, unknown>;
  return { logger: safeLogger(logger), lines, last };
}

const EVIL = 'a\u001b[2J\nb\u202e\u009b\ud800';
const SPELT = 'a\\u001b[2J\\nb\\u202e\\u009b\\ud800';

test('a long text of a peer is cut, wherever in a line it stands', () => {
  const { logger, last } = programLogger();
  const long = 'x'.repeat(3000);
  const cut = `${'x'.repeat(254)}…`;
  logger.child({ peer: long }).info({ a: long, [long]: 1, b: { c: [long] } }, 'text');
  expect(last()).toMatchObject({ peer: cut, a: cut, [cut]: 1, b: { c: [cut] }, msg: 'text' });
  logger.warn(long);
  expect(last()['msg']).toHaveLength(2048);
});

test('what would act on a terminal or forge a line is spelt out, wherever in a line it stands', () => {
  const { logger, last, lines } = programLogger();
  logger.child({ peer: EVIL }).info({ a: EVIL, [EVIL]: [EVIL] }, EVIL);
  expect(last()).toMatchObject({ peer: SPELT, a: SPELT, [SPELT]: [SPELT], msg: SPELT });
  logger.error({ err: new Error(EVIL, { cause: new Error(EVIL) }) }, 'text');
  expect(last()).toMatchObject({ err: { type: 'Error', message: `${SPELT}: ${SPELT}` } });
  logger.error(Object.assign(new Error('short'), { path: EVIL, code: 'ENOENT' }));
  expect(last()).toMatchObject({ err: { type: 'Error', message: 'short', path: SPELT } });
  expect(lines.join('')).not.toMatch(/\\u001b(?<!\\\\u001b)|\u202e|\u009b/);
});

test('an error without anything odd is handed on as it is', () => {
  const { logger, last } = programLogger();
  const error = new Error('short');
  logger.error({ err: error }, 'text');
  expect(last()).toMatchObject({ err: { message: 'short', stack: error.stack } });
});

test('nothing is made ready for a level that is off', () => {
  const { logger, lines } = programLogger('error');
  const fields = Object.defineProperty({}, 'a', {
    enumerable: true,
    get: () => {
      throw new Error('nobody asked');
    },
  });
  for (const level of ['trace', 'debug', 'info', 'warn'] as const) logger[level](fields, 'text');
  expect(lines).toEqual([]);
});

test('a logger is made safe once', () => {
  const { logger } = programLogger();
  expect(safeLogger(logger)).toBe(logger);
});

describe('a logger that fails costs its lines and nothing else', () => {
  const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
  const nothing = (): void => {};
  const fail = (): never => {
    throw new Error('the logger fails');
  };
  /** A logger all of whose methods are these. */
  const made = (line: () => unknown, child: () => unknown, isLevelEnabled: () => boolean) =>
    safeLogger({
      ...Object.fromEntries(LEVELS.map((level) => [level, line])),
      child,
      isLevelEnabled,
    } as unknown as Logger);
  const loggers: Record<string, Logger> = {
    'its lines throw': made(fail, fail, () => true),
    'its levels throw': made(nothing, fail, fail),
    'its children are nothing': made(nothing, nothing, () => true),
    'its lines reject': made(
      () => Promise.reject(new Error('the logger rejects')),
      fail,
      () => true,
    ),
    'it cannot be looked at': safeLogger(new Proxy({}, { get: fail }) as Logger),
  };

  test.each(Object.keys(loggers))('%s', async (name) => {
    const rejected: unknown[] = [];
    const note = (error: unknown) => rejected.push(error);
    process.on('unhandledRejection', note);
    const logger = loggers[name] as Logger;
    const child = logger.child({ peer: 'a' });
    for (const level of LEVELS) {
      logger[level]('text');
      child[level]({ a: 1 }, 'text');
      expect(child.isLevelEnabled(level)).toBeTypeOf('boolean');
    }
    await new Promise((turn) => setImmediate(turn));
    process.off('unhandledRejection', note);
    expect(rejected).toEqual([]);
  });

  test('fields that cannot be read cost their line', () => {
    const { logger, last } = programLogger();
    logger.info(Object.defineProperty({}, 'a', { enumerable: true, get: fail }), 'lost');
    logger.info('kept');
    expect(last()).toMatchObject({ msg: 'kept' });
  });
});
