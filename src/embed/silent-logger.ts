// Owns a logger that writes nothing, for brokers that are handed none: to load pino for it would be most of
// the time that a start takes. Never knows a level.

import type { Logger } from 'pino';

const nothing = (): void => {};

/** All of a logger that the broker calls. */
type Called = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level'> & {
  child(): Logger;
  isLevelEnabled(): boolean;
};

const SILENT: Called = {
  level: 'silent',
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLogger,
  isLevelEnabled: () => false,
};

export const silentLogger = SILENT as unknown as Logger;
