// Owns the life of the process around a broker: signals, failures and exit codes. Never knows what
// the broker does between its start and its close.

import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { RunningBroker } from '../main.ts';
import type { Clock } from '../util/clock.ts';
import { describeFailure } from './failure.ts';

/** The process as the supervisor sees it; tests pass one of their own. */
export interface Host {
  readonly clock: Clock;
  onSignal(signal: StopSignal | typeof RENEW_SIGNAL, listener: () => void): void;
  /** An exception that no code caught, or a rejected promise that no code waited for. */
  onCrash(listener: (error: unknown) => void): void;
  after(delayMs: number, listener: () => void): void;
  writeError(line: string): void;
  /** Ends the process; `why` is said on standard error if the log cannot say it. */
  exit(code: number, why?: string): void;
  /** Ends the process also when one of its threads is stuck, for which `exit` would wait for ever. */
  kill(why: string): void;
}

/** The signals that ask for a stop, with the exit code when one of them cuts it short. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** The signal that asks for certificates to be read again. Left alone, it would end the process. */
export const RENEW_SIGNAL = 'SIGHUP';

export type StopSignal = keyof typeof STOP_SIGNALS;

/** Ctrl-C under `npm start` arrives twice: from the terminal, and at once again through npm. */
const ECHO_MS = 200;

/** What the connections are told when the process is asked to stop. */
const STOP_REASON = 'shutdown';

/**
 * Starts a broker and stays with it to its end. Exit codes: 0 after a stop that was asked for, 1 when
 * the broker could not start, could not go on or did not stop in time, 128 + n when a second signal
 * cut the stop short. When a commit hangs in the system the process kills itself.
 */
export async function supervise(
  start: () => Promise<RunningBroker>,
  settings: Settings,
  logger: Logger,
  host: Host,
): Promise<void> {
  // Whatever is not durable was not confirmed, so ending at once is safe; going on might not be.
  const die = (error: unknown, what: string): void => {
    logger.fatal({ err: error }, what);
    const why = `${what}: ${describeFailure(error, settings)}`;
    if (error instanceof Error && error.name === 'StuckCommitError') host.kill(why);
    else host.exit(1, why);
  };
  host.onCrash((error) => die(error, 'stopped by a bug'));
  const stopSignal = watchSignals(settings, logger, host);

  let renew = (): void => {};
  host.onSignal(RENEW_SIGNAL, () => {
    logger.info({ signal: RENEW_SIGNAL }, 'reading certificates again');
    renew();
  });
  let broker: RunningBroker;
  try {
    broker = await start();
  } catch (error) {
    host.writeError(`leveret: ${describeFailure(error, settings)}`);
    host.exit(1);
    return;
  }
  void broker.failed.then((error) => die(error, 'stopped because the store failed'));
  for (const { key, host, port, tls } of broker.addresses) {
    logger.info({ listener: key, host, port, tls }, 'listening');
  }
  if (broker.addresses.length === 0) logger.warn('no listener is set: nobody can connect');
  renew = () => broker.renewTls();

  const signal = await stopSignal;
  logger.info({ signal }, 'stopping');
  try {
    await broker.close(STOP_REASON);
  } catch (error) {
    die(error, 'the stop failed');
    return;
  }
  logger.info('stopped');
  host.exit(0);
}

/** Resolves at the first signal; what comes after it is dealt with here. */
function watchSignals(settings: Settings, logger: Logger, host: Host): Promise<StopSignal> {
  return new Promise((resolve) => {
    let firstMs = -1;
    const listen = (signal: StopSignal): void => {
      const nowMs = host.clock.monotonicMs();
      if (firstMs !== -1) {
        if (signal === 'SIGINT' && nowMs - firstMs < ECHO_MS) return;
        logger.warn({ signal }, 'second signal: exiting at once');
        host.exit(STOP_SIGNALS[signal]);
        return;
      }
      firstMs = nowMs;
      host.after(settings.shutdownTimeoutMs, () => {
        logger.fatal({ timeoutMs: settings.shutdownTimeoutMs }, 'not stopped in time');
        host.exit(1);
      });
      resolve(signal);
    };
    host.onSignal('SIGINT', () => listen('SIGINT'));
    host.onSignal('SIGTERM', () => listen('SIGTERM'));
  });
}
