// Owns how a verb gets at the data folder of a stopped broker, and how it ends. Never does what the
// verb does.

import { realpathSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { OpenBroker } from '../../boot/data-folder.ts';
import { thisMachine } from '../../config/layers/machine.ts';
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import { FolderInUseError, ForeignFolderError } from '../../store/errors.ts';
import { parseJsonText } from '../../util/json/json-input.ts';
import { UserError } from '../../util/user-error.ts';
import { describeFailure } from '../failure.ts';
import { print, printError } from '../print.ts';
import { fail, formatOptions, tell } from './answers.ts';
import { answers } from './control.ts';
import { refuseEmptyNames } from './empty-argument.ts';
import { folderView } from './folder-view.ts';
import { addMore } from './help.ts';
import { HttpApi, targetAt } from './http-api.ts';
import { remoteView } from './remote-view.ts';
import { namesTarget, targetFor, targetOptions } from './target-options.ts';
import type { Answer, Arguments, LoneVerb, Options, Verb } from './verb.ts';

/** How a program other than `leveret` says what its verbs found, and what went wrong. */
export interface Show {
  /** What stands before the answer. */
  before(verb: string, args: readonly Arguments[], options: Options): string;
  answer(answer: NonNullable<Answer>, verb: string, options: Options): string;
  failure(error: unknown, settings: Settings | null): string;
  /** What an error is to this program; as it is where there is nothing to say of it. */
  judged(verb: string, args: readonly Arguments[], options: Options, error: unknown): unknown;
  /** The code to end with. */
  exitCode(error: unknown): number;
}

/** The commands of verbs; without `show`, as `leveret` has them. */
export function commandsOf(
  verbs: readonly (Verb | LoneVerb)[],
  show: Show | null = null,
): Command[] {
  return verbs.map((verb) => {
    const command = new Command(verb.name)
      .description(verb.about)
      .helpOption('-h, --help', 'Show this help.');
    const options = [...(verb.options ?? []), ...formatOptions()];
    if ('run' in verb) {
      if (verb.vhost !== undefined) options.unshift(vhostOption(verb.vhost));
      options.push(
        ...targetOptions(),
        new Option('--data-dir <folder>', 'Work on the data folder of a stopped broker instead.'),
        new Option('--config <glob...>', 'Config files that name the data folder.').default(
          [],
          'none',
        ),
      );
    }
    for (const option of options) command.addOption(option);
    if (verb.arguments !== undefined) command.arguments(verb.arguments);
    addMore(command, verb.more);
    return command.action((...given: unknown[]) => {
      const args = given.slice(0, -2) as Arguments[];
      return runVerb(verb, args, given[args.length] as Options, show, command);
    });
  });
}

/** Parses a JSON argument; a mistake is one of usage. */
export function parseJson(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    throw new UserError(`this is not JSON: ${text} (${(error as Error).message})`);
  }
}

/** The same for the value of an option. */
export function parseJsonOption(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** For options that say how many: a whole number from 1 on. */
export function parseCount(text: string): number {
  const count = parseInteger(text);
  if (count >= 1) return count;
  throw new InvalidArgumentError('It must be 1 or more.');
}

/** For options that say how many at most, where 0 is no limit. */
export function parseLimit(text: string): number {
  const limit = parseInteger(text);
  if (limit >= 0) return limit;
  throw new InvalidArgumentError('It must be 0 or more.');
}

/** For options that take a whole number. */
export function parseInteger(text: string): number {
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
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
  show: Show | null,
  { registeredArguments }: Command,
): Promise<void> {
  let settings: Settings | null = null;
  if (show !== null) print(show.before(verb.name, args, options));
  try {
    refuseEmptyNames(registeredArguments, args);
    let answer: Answer;
    if ('runAlone' in verb) {
      answer = await verb.runAlone(await import('../../boot/data-folder.ts'), args);
    } else {
      settings = await settingsFor(options);
      const api = new HttpApi({ ...targetFor(options), orFolder: true });
      answer = await (namesFolder(options)
        ? runOnFolder(verb, settings, args, options, api)
        : api.understanding(() => verb.run(remoteView(api), args, options)));
    }
    if (show === null) tell(answer ?? doneText(verb, args, options), options);
    else if (answer !== undefined) print(show.answer(answer, verb.name, options));
  } catch (caught) {
    if (show === null) return fail(describe(caught, settings), caught);
    const error = show.judged(verb.name, args, options, caught);
    printError(`${show.failure(error, settings)}\n`);
    process.exitCode = show.exitCode(error);
  }
}

function doneText(verb: Verb | LoneVerb, args: readonly Arguments[], options: Options): Answer {
  const text = 'done' in verb ? verb.done?.(args, options) : undefined;
  return text === undefined ? undefined : `${text}\n`;
}

/** Whether a verb is for the data folder of a stopped broker; without a word of one, it goes over HTTP. */
function namesFolder(options: Options): boolean {
  if (namesTarget(options)) return false;
  const configs = options['config'] as readonly string[];
  return (
    options['dataDir'] !== undefined ||
    configs.length > 0 ||
    (process.env['LEVERET_DATA_DIR'] ?? '') !== ''
  );
}

async function runOnFolder(
  verb: Verb,
  settings: Settings,
  args: readonly Arguments[],
  options: Options,
  api: HttpApi,
): Promise<Answer> {
  // A broker that runs on the folder answers there.
  if (await answers(settings.dataDir)) {
    const near = new HttpApi(targetAt(settings.dataDir));
    return near.understanding(() => verb.run(remoteView(near), args, options));
  }
  await requireData(settings);
  let broker: OpenBroker;
  try {
    broker = await (await import('../../boot/data-folder.ts')).openBroker(settings);
  } catch (error) {
    // A variable names the folder for the broker too, which may run; the API must be that broker's.
    const inUse = error instanceof FolderInUseError || error instanceof ForeignFolderError;
    if (!inUse || options['dataDir'] !== undefined || !(await serves(api, settings))) throw error;
    return api.understanding(() => verb.run(remoteView(api), args, options));
  }
  try {
    return await verb.run(folderView(broker.view), args, options);
  } finally {
    // What was changed before a failure was changed wholly, each step of it.
    await broker.close();
  }
}

/** Whether the API is that of the broker that has the folder. */
async function serves(api: HttpApi, { dataDir }: Settings): Promise<boolean> {
  try {
    const [node] = await api.get<{ db_dir: string }[]>('/nodes');
    return realpathSync(node?.db_dir ?? '') === realpathSync(dataDir);
  } catch {
    return false;
  }
}

/** The settings that a verb's options and the config files make. */
export function settingsFor(options: Options): Promise<Settings> {
  const folder = options['dataDir'];
  const flags: Record<string, string> = {};
  if (typeof folder === 'string') flags['--data-dir'] = folder;
  const { env } = process;
  const configGlobs = options['config'] as string[];
  return loadSettings({ configGlobs, env, flags, machine: thisMachine(env) });
}

/**
 * Refuses a folder without a broker's data, which opening it would make: rejects with a UserError where none
 * has been, and with a StoreError where it is gone.
 */
export async function requireData({ dataDir, memory }: Settings): Promise<void> {
  if (memory) throw new UserError('a broker with --memory has no data folder to work on');
  if (await (await import('../../boot/data-folder.ts')).holdsData(dataDir)) return;
  const wayOut = 'name its folder with --data-dir, or start a broker there first';
  throw new UserError(`there is no data of a broker in ${dataDir}: ${wayOut}`);
}

/** One line for what the user can mend; refusals and errors of AMQP say it themselves. */
export function describe(error: unknown, settings: Settings | null): string {
  if (error instanceof FolderInUseError) {
    const { holder } = error;
    const where = `${holder === '' ? '' : `as ${holder} `}on ${settings?.dataDir}`;
    return (
      `the broker is running ${where}: omit --data-dir and LEVERET_DATA_DIR to reach it ` +
      'through its HTTP API, or stop it first, since this works on its data folder'
    );
  }
  return describeFailure(error, settings);
}
