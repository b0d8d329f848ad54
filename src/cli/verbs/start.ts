// Owns the verb `start`: its flags, and handing what they ask for to the supervisor. Never holds a
// rule about a setting: flags and help come from the table.

import { Command, Option } from 'commander';
import { renderHelp } from '../../config/docs.ts';
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import { FLAGS } from '../../config/settings.ts';
import { systemClock } from '../../util/clock.ts';
import { printable } from '../../util/log/printable.ts';
import { describeFailure } from '../failure.ts';
import { descriptorOf } from '../log/descriptor.ts';
import { LineSink } from '../log/line-sink.ts';
import { makeLogger, outputTo, STDERR, STDOUT } from '../logger.ts';
import { type Host, supervise } from '../supervise.ts';

const CONFIG_FLAG = '--config <glob...>';
const STDIN_FLAG = '--stop-with-stdin';
const PORT_FLAG = '--print-port';

/** The command `leveret start`. */
export function startCommand(): Command {
  const command = new Command('start')
    .description('Run a broker until SIGINT or SIGTERM.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(
      new Option(CONFIG_FLAG, 'Config files to read, in order of name.').default([], 'none'),
    )
    .addOption(
      new Option(STDIN_FLAG, 'Stop when standard input ends, as with the program behind it.'),
    )
    .addOption(
      new Option(PORT_FLAG, 'Print the port alone to standard output, and log to standard error.'),
    )
    .addHelpText('after', renderHelp());
  const options = FLAGS.map((flag) => ({
    name: flag.name,
    option: new Option(`${flag.name} ${flag.argument}`.trim(), flag.about),
  }));
  for (const { option } of options) command.addOption(option);
  return command.action(async (given: Record<string, unknown>) => {
    const flags: Record<string, string> = {};
    for (const { name, option } of options) {
      const value = given[option.attributeName()];
      if (value !== undefined) flags[name] = String(value);
    }
    const manner = {
      printPort: given['printPort'] === true,
      host: given['stopWithStdin'] === true ? hostWithStdin : processHost,
    };
    await runStart(given['config'] as string[], flags, manner);
  });
}

/** How a broker runs whose settings are the same. */
interface Manner {
  readonly printPort: boolean;
  readonly host: Host;
}

async function runStart(
  configGlobs: string[],
  flags: Record<string, string>,
  { printPort, host }: Manner,
): Promise<void> {
  const warnings: string[] = [];
  let settings: Settings;
  try {
    const onWarning = (warning: string): number => warnings.push(warning);
    settings = await loadSettings({ configGlobs, env: process.env, flags, onWarning });
  } catch (error) {
    host.writeError(`leveret: ${describeFailure(error, null)}`);
    host.exit(1);
    return;
  }
  const file = printPort ? STDERR : STDOUT;
  const sink = new LineSink(descriptorOf(file));
  logSink = sink;
  const logger = await makeLogger(settings, { ...outputTo(file, process.env), target: sink });
  for (const warning of warnings) logger.warn(warning);
  // The broker is loaded only now, so that help and a wrong setting do not wait for it.
  const start = async () => {
    const broker = await (await import('../../main.ts')).startBroker(settings, logger);
    if (printPort) process.stdout.on('error', ignore).write(`${broker.addresses[0]?.port ?? ''}\n`);
    return broker;
  };
  await supervise(start, settings, logger, host);
}

/** How long the last lines may take while the process ends. */
const LAST_LINES_MS = 500;

/** What the log goes through, once there is one. */
let logSink: LineSink | null = null;

/** Writes the last lines of the log; when they cannot be, what ends the process goes to standard error. */
function endLog(why: string | null): void {
  const said = logSink?.end(LAST_LINES_MS) ?? false;
  if (why !== null && !said) writeLast(`leveret: ${why}`);
}

/** Writes a line to standard error, which may have no reader. */
function writeLast(line: string): void {
  const sink = new LineSink(descriptorOf(STDERR));
  sink.write(`${printable(line)}\n`);
  sink.end(LAST_LINES_MS);
}

// What is printed beside the log may find its reader gone, too.
const ignore = (): void => {};

const processHost: Host = {
  clock: systemClock,
  onSignal: (signal, listener) => process.on(signal, listener),
  onCrash: (listener) => {
    process.on('uncaughtException', listener);
    process.on('unhandledRejection', listener);
  },
  after: (delayMs, listener) => setTimeout(listener, delayMs),
  writeError: writeLast,
  exit: (code, why) => {
    endLog(why ?? null);
    process.exit(code);
  },
  kill: (why) => {
    endLog(why);
    process.kill(process.pid, 'SIGKILL');
  },
};

/** A test that starts a broker may be killed, or start it through npx, which hands no signal on. */
const hostWithStdin: Host = {
  ...processHost,
  onSignal: (signal, listener) => {
    processHost.onSignal(signal, listener);
    if (signal === 'SIGTERM') process.stdin.once('close', listener).resume();
  },
};
