// Owns the verb `start`: its flags, and handing what they ask for to the supervisor. Never holds a
// rule about a setting: flags and help come from the table.

import { Command, Option } from 'commander';
import { renderHelp } from '../../config/docs.ts';
import { type Machine, machineForTests, thisMachine } from '../../config/layers/machine.ts';
import { LiveSettings } from '../../config/live/live-settings.ts';
import { type Config, loadConfig, readConfig } from '../../config/load.ts';
import { FLAGS } from '../../config/settings.ts';
import { readVersion } from '../../config/version.ts';
import { systemClock } from '../../util/clock.ts';
import { printable } from '../../util/log/printable.ts';
import { setLevel } from '../../util/log/safe-logger.ts';
import { exitCodeOf } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { descriptorOf } from '../log/descriptor.ts';
import { LineSink } from '../log/line-sink.ts';
import { makeLogger, outputTo, STDERR, STDOUT } from '../logger.ts';
import { print } from '../print.ts';
import { type Host, supervise } from '../process-lifecycle.ts';
import { serviceManager } from '../service-manager.ts';

const CONFIG_FLAG = '--config <glob...>';
const STDIN_FLAG = '--stop-with-stdin';
const PORT_FLAG = '--print-port';
const EXPLAIN_FLAG = '--explain-config';

/** The command `leveret start`. */
export function startCommand(): Command {
  const command = new Command('start')
    .description('Run a broker until SIGINT or SIGTERM.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(
      new Option(CONFIG_FLAG, 'Config files to read, in order of name.').default([], 'none'),
    )
    .addOption(
      new Option(STDIN_FLAG, 'Stop when standard input ends: with the program that started it.'),
    )
    .addOption(
      new Option(PORT_FLAG, 'Print only the port to standard output, and log to standard error.'),
    )
    .addOption(
      new Option(
        EXPLAIN_FLAG,
        'Show what each setting means and where it comes from, without starting.',
      ),
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
    const forTests = given['stopWithStdin'] === true;
    const machine = forTests ? machineForTests(process.env) : thisMachine(process.env);
    if (given['explainConfig'] === true) {
      process.exitCode = await explainConfig(given['config'] as string[], flags, machine);
      return;
    }
    const manner = {
      printPort: given['printPort'] === true,
      host: forTests ? hostWithStdin : processHost,
      machine,
    };
    await runStart(given['config'] as string[], flags, manner);
  });
}

/** Prints what a start would go by; returns the exit code: 1 where something is wrong. */
async function explainConfig(
  configGlobs: string[],
  flags: Record<string, string>,
  machine: Machine,
): Promise<number> {
  const { env } = process;
  const config = await readConfig({ configGlobs, env, flags, machine });
  const { explain, renderExplanation } = await import('../../config/explain.ts');
  print(renderExplanation(explain(config), true));
  return config.faults.length === 0 ? 0 : 1;
}

/** How a broker runs whose settings are the same. */
interface Manner {
  readonly printPort: boolean;
  readonly host: Host;
  readonly machine: Machine;
}

async function runStart(
  configGlobs: string[],
  flags: Record<string, string>,
  { printPort, host, machine }: Manner,
): Promise<void> {
  const warnings: string[] = [];
  const { env } = process;
  const read = (onWarning: (warning: string) => void): Promise<Config> =>
    loadConfig({ configGlobs, env, flags, machine, onWarning });
  let config: Config;
  try {
    config = await read((warning) => warnings.push(warning));
  } catch (error) {
    host.writeError(`leveret: ${describeFailure(error, null)}`);
    host.exit(exitCodeOf(error));
    return;
  }
  const { files } = config;
  const file = printPort ? STDERR : STDOUT;
  const sink = new LineSink(descriptorOf(file));
  logSink = sink;
  const live = new LiveSettings(config, () => read((warning) => logger.warn(warning)));
  const { settings } = live;
  const logger = await makeLogger(settings, { ...outputTo(file, process.env), target: sink });
  // Without files there is nothing to name, and a start that is refused says its reason alone.
  if (files.length > 0) logger.info({ version: readVersion(), configFiles: files }, 'starting');
  for (const warning of warnings) logger.warn(warning);
  live.onChange(() => setLevel(logger, settings.logConsole ? settings.logLevel : 'silent'));
  // The broker is loaded only now, so that help and a wrong setting do not wait for it.
  const start = async () => {
    const broker = await (await import('../../boot/start.ts')).startLive(live, logger);
    if (printPort) process.stdout.on('error', ignore).write(`${broker.addresses[0]?.port ?? ''}\n`);
    return broker;
  };
  const manager = serviceManager(process.env, host.after, logger);
  await supervise(start, { settings, told: config.told }, logger, host, manager, () =>
    live.reload(),
  );
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
  onInputEnd: (listener) => {
    process.stdin.once('close', listener).resume();
  },
};
