// Owns how a verb gets at the data folder of a stopped broker, and how it ends. Never does what the
// verb does.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { OpenBroker } from '../main.ts';
import { describeFailure } from './failure.ts';
import { FORMATS, type Format, type Listing, render } from './output.ts';
import { VerbError } from './verb-error.ts';

/** The window on the broker that a verb works with. */
export type View = OpenBroker['view'];

/** The options that a verb was given. */
export type Options = Readonly<Record<string, unknown>>;

/** One verb that works on a stopped broker. */
export interface Verb {
  readonly name: string;
  /** The arguments, as commander writes them: `<name> [password]`. */
  readonly arguments?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** Whether it takes `-p <vhost>`; `all`: without it, every vhost is meant. */
  readonly vhost?: true | 'all';
  /** Lines behind the help. */
  readonly more?: string;
  /** Does it. What it returns is printed; what it throws ends the process with 1. */
  run(view: View, args: readonly Arguments[], options: Options): Answer | Promise<Answer>;
}

/** One verb that needs no data folder. */
export interface LoneVerb extends Omit<Verb, 'run' | 'vhost'> {
  runAlone(main: Main, args: readonly Arguments[]): Promise<Answer>;
}

/** What such a verb may use. */
export type Main = Pick<typeof import('../main.ts'), 'hashForDefinitions'>;

/** One argument; several where the verb takes a list. */
export type Arguments = string | undefined | readonly string[];

/** What a verb says: rows, a text as it is, or nothing. */
export type Answer = Listing | string | undefined;

/** The commands of verbs. */
export function commandsOf(verbs: readonly (Verb | LoneVerb)[]): Command[] {
  return verbs.map((verb) => {
    const command = new Command(verb.name)
      .description(verb.about)
      .helpOption('-h, --help', 'Show this help.');
    const format = new Option('--formatter <format>', 'How to show what is listed.');
    const options = [...(verb.options ?? []), format.choices(FORMATS).default('table')];
    if ('run' in verb) {
      if (verb.vhost !== undefined) options.unshift(vhostOption(verb.vhost));
      options.push(
        new Option('--data-dir <folder>', 'The data folder of the stopped broker.'),
        new Option('--config <glob...>', 'Config files that name it.').default([], 'none'),
      );
    }
    for (const option of options) command.addOption(option);
    if (verb.arguments !== undefined) command.arguments(verb.arguments);
    if (verb.more !== undefined) command.addHelpText('after', `\n${verb.more}`);
    return command.action((...given: unknown[]) => {
      const args = given.slice(0, -2) as Arguments[];
      return runVerb(verb, args, given[args.length] as Options);
    });
  });
}

/** Parses a JSON argument; a mistake is one of usage. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VerbError(`this is not JSON: ${text} (${(error as Error).message})`);
  }
}

/** For options that take a whole number. */
export function parseInteger(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

function vhostOption(vhost: true | 'all'): Option {
  const option = new Option('-p, --vhost <vhost>', 'The vhost.');
  return vhost === 'all' ? option : option.default('/');
}

async function runVerb(
  verb: Verb | LoneVerb,
  args: readonly Arguments[],
  options: Options,
): Promise<void> {
  let settings: Settings | null = null;
  try {
    let answer: Answer;
    if ('runAlone' in verb) {
      answer = await verb.runAlone(await import('../main.ts'), args);
    } else {
      settings = await settingsFor(options);
      requireData(settings);
      const broker = await (await import('../main.ts')).openBroker(settings);
      try {
        answer = await verb.run(broker.view, args, options);
      } finally {
        // What was changed before a failure was changed wholly, each step of it.
        await broker.close();
      }
    }
    if (answer === undefined) return;
    const text = typeof answer === 'string' ? answer : render(answer, formatOf(options));
    process.stdout.write(text);
  } catch (error) {
    process.stderr.write(`leveret: ${describe(error, settings)}\n`);
    process.exitCode = 1;
  }
}

/** The settings that a verb's options and the config files make. */
export function settingsFor(options: Options): Promise<Settings> {
  const folder = options['dataDir'];
  const flags: Record<string, string> = {};
  if (typeof folder === 'string') flags['--data-dir'] = folder;
  return loadSettings({ configGlobs: options['config'] as string[], env: process.env, flags });
}

/** Refuses a folder without a broker's data, which opening it would make. */
export function requireData({ dataDir, memory }: Settings): void {
  if (memory) throw new VerbError('a broker with --memory has no data folder to work on');
  const there = statSync(join(dataDir, 'store'), { throwIfNoEntry: false });
  if (there?.isDirectory()) return;
  const wayOut = 'name its folder with --data-dir, or start a broker there first';
  throw new VerbError(`there is no data of a broker in ${dataDir}: ${wayOut}`);
}

function formatOf(options: Options): Format {
  return options['formatter'] as Format;
}

/** Errors whose message is for the user as it stands. */
const PLAIN: ReadonlySet<string> = new Set(['VerbError', 'Refusal', 'AmqpError', 'PatternError']);

/** One line for what the user can mend; refusals and errors of AMQP say it themselves. */
export function describe(error: unknown, settings: Settings | null): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'FolderInUseError') {
    const { holder } = error as Error & { readonly holder: string };
    const where = `${holder === '' ? '' : `as ${holder} `}on ${settings?.dataDir}`;
    return `the broker is running ${where}: stop it first, since this works on its data folder`;
  }
  if (PLAIN.has(error.name)) {
    return error.message.replaceAll(/\s*\n\s*/g, ' ').trim();
  }
  return describeFailure(error, settings);
}
