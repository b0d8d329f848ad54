// Owns the life of the process around a broker: signals, failures and exit codes. Never knows what
// the broker does between its start and its close.

import type { Logger } from 'pino';
import type { RunningBroker } from '../boot/serve.ts';
import type { Reloaded } from '../config/live/live-settings.ts';
import type { Config } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { StuckCommitError } from '../store/errors.ts';
import type { Clock } from '../util/clock.ts';
import { describeFailure } from './failure.ts';
import type { ServiceManager } from './service-manager.ts';

/** The process as the supervisor sees it; tests pass one of their own. */
export interface Host {
  readonly clock: Clock;
  onSignal(signal: HeardSignal, listener: () => void): void;
  /** The end of standard input; left out where that means nothing. */
  onInputEnd?(listener: () => void): void;
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
const STOP_SIGNALS = { SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/** The signal that asks for certificates and config files to be read again. Left alone, it would end the process. */
const RENEW_SIGNAL = 'SIGHUP';

export type StopSignal = keyof typeof STOP_SIGNALS;

/** Signals that mean nothing here. Left alone, SIGUSR1 opens a debugger, and the others end the process without a word. */
const IDLE_SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO'] as const;

/** Every signal that is listened for. */
export type HeardSignal = StopSignal | typeof RENEW_SIGNAL | (typeof IDLE_SIGNALS)[number];

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
  { settings, told }: Pick<Config, 'settings' | 'told'>,
  logger: Logger,
  host: Host,
  manager: ServiceManager,
  reload: () => Promise<Reloaded | null> = async () => null,
): Promise<void> {
  // Whatever is not durable was not confirmed, so ending at once is safe; going on might not be.
  const die = (error: unknown, what: string): void => {
    logger.fatal({ err: error }, what);
    const why = `${what}: ${describeFailure(error, settings)}`;
    if (error instanceof StuckCommitError) host.kill(why);
    else host.exit(1, why);
  };
  host.onCrash((error) => die(error, 'stopped by a bug'));
  const asked = watchStops(settings, logger, host);

  let renew = (): void => {};
  host.onSignal(RENEW_SIGNAL, () => {
    logger.info({ signal: RENEW_SIGNAL }, 'reading certificates and config files again');
    manager.reloading();
    renew();
    void readAgain(reload, logger).then(() => manager.reloaded());
  });
  let broker: RunningBroker;
  manager.starting();
  try {
    broker = await start();
  } catch (error) {
    host.writeError(`leveret: ${describeFailure(error, settings, told)}`);
    host.exit(1);
    return;
  }
  void broker.failed.then((error) => die(error, 'stopped because the store failed'));
  if (broker.standsBy !== true) sayWhereItListens(broker, settings, logger);
  renew = () => broker.renewTls();
  if (broker.standsBy === true) manager.ready('A node of a cluster');
  else manager.ready(`Listening on ${broker.addresses.map(placeOf).join(', ') || 'no port'}`);

  logger.info(await asked, 'stopping');
  manager.stopping(settings.shutdownTimeoutMs);
  try {
    await broker.close(STOP_REASON);
  } catch (error) {
    die(error, 'the stop failed');
    return;
  }
  logger.info('stopped');
  host.exit(0);
}

const IDLE =
  'this signal does nothing: SIGTERM stops the broker, SIGHUP has it read its files again';

function sayWhereItListens(broker: RunningBroker, settings: Settings, logger: Logger): void {
  for (const { key, host, port, tls } of broker.addresses) {
    logger.info({ listener: key, host, port, tls }, 'listening');
  }
  if (broker.addresses.length === 0) logger.warn('no listener is set: no client can connect');
  sayWhereToLogIn(broker, settings, logger);
}

/** Says where the web UI is and, at a first start, which user may log in. */
function sayWhereToLogIn(
  { addresses, firstUser }: RunningBroker,
  { loopbackUsers, managementPathPrefix }: Settings,
  logger: Logger,
): void {
  const ui = addresses.find(({ key }) => key.startsWith('management.'));
  if (ui !== undefined) {
    const host = NOT_DIALLED.has(ui.host) ? 'localhost' : ui.host;
    const url = `http${ui.tls ? 's' : ''}://${placeOf({ ...ui, host })}${managementPathPrefix}/`;
    logger.info({ url }, 'web UI');
  }
  if (firstUser === null) return;
  const where = loopbackUsers.includes(firstUser) ? 'from this machine only' : 'from anywhere';
  logger.info({ user: firstUser }, `first start: this user may log in, ${where}`);
}

/** Addresses that stand for this machine, or for all that it has. */
const NOT_DIALLED: ReadonlySet<string> = new Set(['::', '0.0.0.0', '::1', '127.0.0.1']);

function placeOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads the config files again, and says what has changed; when they are no good, all stays as it is. */
async function readAgain(reload: () => Promise<Reloaded | null>, logger: Logger): Promise<void> {
  try {
    const reloaded = await reload();
    if (reloaded === null) return;
    const { changed, waiting, kept } = reloaded;
    logger.info({ changed }, 'settings read again');
    if (waiting.length > 0) logger.warn({ waiting }, 'new settings that wait for a restart');
    if (kept.length > 0) {
      logger.warn({ kept }, 'new values that wait until leveret settings unset');
    }
  } catch (error) {
    for (const line of describeFailure(error, null).split('\n')) {
      logger.error(`settings stay as they are: ${line}`);
    }
  }
}

/** What asks for a stop, as the log has it. */
type Asked = { readonly signal: StopSignal } | { readonly why: string };

/** Resolves when a stop is asked for first; what comes after that is dealt with here. */
function watchStops(settings: Settings, logger: Logger, host: Host): Promise<Asked> {
  return new Promise((resolve) => {
    let firstMs = -1;
    let stopping = false;
    const stop = (asked: Asked): void => {
      if (stopping) return;
      stopping = true;
      host.after(settings.shutdownTimeoutMs, () => {
        logger.fatal({ timeoutMs: settings.shutdownTimeoutMs }, 'not stopped in time');
        host.exit(1);
      });
      resolve(asked);
    };
    const listen = (signal: StopSignal): void => {
      const nowMs = host.clock.monotonicMs();
      if (firstMs !== -1) {
        if (signal === 'SIGINT' && nowMs - firstMs < ECHO_MS) return;
        logger.warn({ signal }, 'second signal: exiting at once');
        host.exit(STOP_SIGNALS[signal]);
        return;
      }
      firstMs = nowMs;
      stop({ signal });
    };
    // Where a program ends, its broker may be sent a signal as well: the two are one wish.
    host.onInputEnd?.(() => stop({ why: 'standard input has ended' }));
    for (const signal of Object.keys(STOP_SIGNALS) as StopSignal[]) {
      host.onSignal(signal, () => listen(signal));
    }
    for (const signal of IDLE_SIGNALS) {
      host.onSignal(signal, () => logger.info({ signal }, IDLE));
    }
  });
}
