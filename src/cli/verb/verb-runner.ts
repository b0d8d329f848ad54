// Owns how a verb gets at the data folder of a stopped broker, and how it ends. Never does what the
// verb does.

import { realpathSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import type { OpenBroker } from '../../main.ts';
import { parseJsonText } from '../../util/json/json-input.ts';
import { describeFailure } from '../failure.ts';
import { FORMATS, type Format, render } from '../output.ts';
import { print, printError } from '../print.ts';
import { HttpApi, targetOf } from './http-api.ts';
import { remoteView } from './remote-view.ts';
import type { Answer, Arguments, LoneVerb, Options, Verb } from './verb.ts';
import { VerbError } from './verb-error.ts';

/** How a program says what its verbs found, and what went wrong. */
export interface Show {
  /** What stands before the answer. */
  before(verb: string, args: readonly Arguments[], options: Options): string;
  answer(answer: NonNullable<Answer>, verb: string, options: Options): string;
  failure(error: unknown, settings: Settings | null): string;
  readonly exitCode: number;
}

/** As `leveret` does. */
const OWN_SHOW: Show = {
  before: () => '',
  answer: (answer, _verb, options) =>
    typeof answer === 'string' ? answer : render(answer, formatOf(options)),
  failure: (error, settings) => `leveret: ${describe(error, settings)}`,
  exitCode: 1,
};

/** The commands of verbs. */
export function commandsOf(verbs: readonly (Verb | LoneVerb)[], show = OWN_SHOW): Command[] {
  return verbs.map((verb) => {
    const command = new Command(verb.name)
      .description(verb.about)
      .helpOption('-h, --help', 'Show this help.');
    const format = new Option('--format, --formatter <format>', 'How to show what is listed.');
    const options = [...(verb.options ?? []), format.choices(FORMATS).default('table')];
    if ('run' in verb) {
      if (verb.vhost !== undefined) options.unshift(vhostOption(verb.vhost));
      options.push(
        urlOption(),
        new Option('--data-dir <folder>', 'Work on the data folder of a stopped broker instead.'),
        new Option('--config <glob...>', 'Config files that name it.').default([], 'none'),
      );
    }
    for (const option of options) command.addOption(option);
    if (verb.arguments !== undefined) command.arguments(verb.arguments);
    if (verb.more !== undefined) command.addHelpText('after', `\n${verb.more}`);
    return command.action((...given: unknown[]) => {
      const args = given.slice(0, -2) as Arguments[];
      return runVerb(verb, args, given[args.length] as Options, show);
    });
  });
}

/** Parses a JSON argument; a mistake is one of usage. */
export function parseJson(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    throw new VerbError(`this is not JSON: ${text} (${(error as Error).message})`);
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
  show: Show,
): Promise<void> {
  let settings: Settings | null = null;
  print(show.before(verb.name, args, options));
  try {
    let answer: Answer;
    if ('runAlone' in verb) {
      answer = await verb.runAlone(await import('../../main.ts'), args);
    } else {
      settings = await settingsFor(options);
      const api = new HttpApi(targetOf(options['url']));
      answer = await (namesFolder(options)
        ? runOnFolder(verb, settings, args, options, api)
        : api.understanding(() => verb.run(remoteView(api), args, options)));
    }
    if (answer === undefined) return;
    print(show.answer(answer, verb.name, options));
  } catch (error) {
    printError(`${show.failure(error, settings)}\n`);
    process.exitCode = show.exitCode;
  }
}

/** For verbs that may go to a running broker. */
export function urlOption(): Option {
  return new Option(
    '--url <url>',
    'The HTTP API of the running broker: http://user:password@host:15672, or LEVERET_URL.',
  );
}

/** Whether a verb is for the data folder of a stopped broker; without a word of one, it goes over HTTP. */
function namesFolder(options: Options): boolean {
  if (typeof options['url'] === 'string') return false;
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
  await requireData(settings);
  let broker: OpenBroker;
  try {
    broker = await (await import('../../main.ts')).openBroker(settings);
  } catch (error) {
    // A variable names the folder for the broker too, which may run; the API must be that broker's.
    const inUse = error instanceof Error && error.name === 'FolderInUseError';
    if (!inUse || options['dataDir'] !== undefined || !(await serves(api, settings))) throw error;
    return api.understanding(() => verb.run(remoteView(api), args, options));
  }
  try {
    return await verb.run(broker.view, args, options);
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
  return loadSettings({ configGlobs: options['config'] as string[], env: process.env, flags });
}

/**
 * Refuses a folder without a broker's data, which opening it would make: rejects with a VerbError where none
 * has been, and with a StoreError where it is gone.
 */
export async function requireData({ dataDir, memory }: Settings): Promise<void> {
  if (memory) throw new VerbError('a broker with --memory has no data folder to work on');
  if (await (await import('../../main.ts')).holdsData(dataDir)) return;
  const wayOut = 'name its folder with --data-dir, or start a broker there first';
  throw new VerbError(`there is no data of a broker in ${dataDir}: ${wayOut}`);
}

function formatOf(options: Options): Format {
  return options['formatter'] as Format;
}

/** One line for what the user can mend; refusals and errors of AMQP say it themselves. */
export function describe(error: unknown, settings: Settings | null): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'FolderInUseError') {
    const { holder } = error as Error & { readonly holder: string };
    const where = `${holder === '' ? '' : `as ${holder} `}on ${settings?.dataDir}`;
    return (
      `the broker is running ${where}: leave --data-dir and LEVERET_DATA_DIR away to reach it ` +
      'through its HTTP API, or stop it first, since this works on its data folder'
    );
  }
  return describeFailure(error, settings);
}
