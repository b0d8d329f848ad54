// Owns `leveret check`: it inspects a data folder in a process of its own, since LMDB may end the process
// that reads a damaged file, and says what was found. Never decides what damage is.

import { type ChildProcess, fork } from 'node:child_process';
import { Command, Option } from 'commander';
import type { CheckedData } from '../../boot/data-folder.ts';
import { CorruptRecordError, StoreError } from '../../store/errors.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { counted } from '../output.ts';
import { print, printError } from '../print.ts';
import type { Options } from '../verb/verb.ts';
import { describe, requireData, settingsFor } from '../verb/verb-runner.ts';

/** Exit codes: sound, damaged, could not be checked. */
const SOUND = 0;
const DAMAGED = 1;
const NOT_CHECKED = 2;

/** Reading that makes no progress for so long has lost its way in a damaged file. */
const PATIENCE_MS = 60_000;
/** What a process ends by that reads a damaged file; others come from outside, as when memory runs out. */
const OF_DAMAGE: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);
/** Damage is shown up to so many lines. */
const LINES_MAX = 50;
const IN_CHILD = 'LEVERET_CHECK_CHILD';

/** What the child tells. */
type Told = { readonly progress: true } | { readonly checked: CheckedData } | Refused;

interface Refused {
  readonly refused: string;
  /** Whether the data is to blame. */
  readonly damaged: boolean;
}

/** The command. */
export function checkCommand(): Command {
  return new Command('check')
    .description('Check the data of a stopped broker for damage.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(
      new Option('--config <glob...>', 'Config files that name the data folder.').default(
        [],
        'none',
      ),
    )
    .addOption(new Option('--repair', 'Remove damaged data; a copy of the file is kept.'))
    .addOption(new Option('--json', 'Show it as JSON.'))
    .addOption(new Option('--format <format>', 'table or json.').choices(['table', 'json']))
    .addHelpText('after', '\nExit codes: 0 sound, 1 damaged, 2 could not be checked.')
    .action(async (options: Options) => {
      if (process.env[IN_CHILD] !== undefined && process.send !== undefined) {
        await checkHere(options);
      } else {
        process.exitCode = await checkInChild(options);
      }
    });
}

/** In the child: checks, and tells the parent. */
async function checkHere(options: Options): Promise<void> {
  const tell = (told: Told): boolean | undefined => process.send?.(told);
  // A report of thousands of queues is more than the pipe holds: it is on its way for a while.
  const tellAll = (told: Told): Promise<void> =>
    new Promise((done) => process.send?.(told, undefined, undefined, () => done()));
  let settings = null;
  try {
    settings = await settingsFor(options);
    await requireData(settings);
    const { checkData } = await import('../../boot/data-folder.ts');
    const repair = options['repair'] === true;
    await tellAll({ checked: await checkData(settings, repair, () => tell({ progress: true })) });
  } catch (error) {
    const refused = describe(error, settings);
    const damaged = error instanceof CorruptRecordError || isDamaged(error);
    await tellAll({ refused, damaged });
  }
  process.disconnect();
}

function isDamaged(error: unknown): boolean {
  return error instanceof StoreError && error.damaged;
}

/** Starts the child, waits for what it tells, and says it; returns the exit code. */
async function checkInChild(options: Options): Promise<number> {
  const child = fork(process.argv[1] as string, process.argv.slice(2), {
    env: { ...process.env, [IN_CHILD]: '1' },
    // What LMDB writes about pages that it cannot read helps no operator.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  });
  const told = await answerOf(child);
  if (typeof told === 'string') {
    say(options, { status: 'damaged', what: told }, `damaged: ${told}`);
    printError(`${RESTORE}\n`);
    return DAMAGED;
  }
  if ('refused' in told) {
    const { refused, damaged } = told;
    if (damaged || isJson(options)) {
      say(options, { status: damaged ? 'damaged' : 'not checked', what: refused }, refused);
    } else printError(`leveret: ${refused}\n`);
    return damaged ? DAMAGED : NOT_CHECKED;
  }
  const { report, log, copies } = told.checked;
  const status = report.damage.length === 0 ? 'sound' : 'damaged';
  const [copy = null, logCopy = null] = copies;
  say(options, { status, ...report, log, copy, logCopy }, textOf(told.checked));
  return status === 'sound' ? SOUND : DAMAGED;
}

const RESTORE =
  'The file as a whole cannot be trusted: restore the folder from a copy, or start with another.';

/** What the child told last, or how it came to its end without that. */
function answerOf(child: ChildProcess): Promise<Exclude<Told, { progress: true }> | string> {
  return new Promise((resolve) => {
    let timer = setTimeout(giveUp, PATIENCE_MS);
    function giveUp(): void {
      child.kill('SIGKILL');
      resolve('reading it does not come to an end');
    }
    child.on('message', (told: Told) => {
      clearTimeout(timer);
      if ('progress' in told) timer = setTimeout(giveUp, PATIENCE_MS);
      else resolve(told);
    });
    let ended: Refused | string | null = null;
    // What the child has told may still be on its way when it has ended: the channel ends behind it.
    const end = (): void => {
      if (ended === null || child.connected) return;
      clearTimeout(timer);
      resolve(ended);
    };
    child.once('disconnect', end);
    child.once('exit', (code, signal) => {
      ended = meaningOf(code, signal);
      end();
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      const refused = `no process can be started to check it: ${describe(error, null)}`;
      resolve({ refused, damaged: false });
    });
  });
}

/** What it means that a child ended without a word. */
function meaningOf(code: number | null, signal: NodeJS.Signals | null): Refused | string {
  if (signal !== null && OF_DAMAGE.has(signal)) {
    return `data.mdb cannot be read to its end (${signal})`;
  }
  const how = signal ?? `exit code ${code}`;
  const refused = `the process that checks ended before it was done (${how}): try again`;
  return { refused, damaged: false };
}

function isJson(options: Options): boolean {
  return options['json'] === true || options['format'] === 'json';
}

function say(options: Options, json: object, text: string): void {
  print(isJson(options) ? `${jsonText(json)}\n` : `${text}\n`);
}

/** The report for people. */
function textOf(checked: CheckedData): string {
  const { report, log, copies } = checked;
  const { damage, queues, unused } = report;
  const lost = log?.lost ?? null;
  const lines = linesOfLog(log);
  // A log that is lost keeps the rows from being looked at, until a repair goes on without it.
  if (lost === null || copies.length > 0) lines.unshift(countsOf(report));
  if (unused > 0)
    lines.push(`${counted(unused, 'range')} of the log that no queue needs: harmless`);
  if (damage.length === 0) return [...lines, 'sound'].join('\n');
  for (const { kind, queue, what, key } of damage.slice(0, LINES_MAX)) {
    const where = `${kind}${queue === null ? '' : ` ${queue}`}`;
    lines.push(`damaged: ${where}: ${what}${key === '' ? '' : ` (${key})`}`);
  }
  if (damage.length > LINES_MAX) lines.push(`... and ${damage.length - LINES_MAX} more`);
  for (const { vhost, name, lost, messages: sound } of queues) {
    if (lost > 0) lines.push(`queue '${name}' in vhost '${vhost}': ${lost} lost, ${sound} sound`);
  }
  if (copies.length > 0) {
    if (lost !== null) lines.push(lost.batches);
    lines.push(`repaired: what was damaged is taken out, and is kept in ${copies.join(' and ')}`);
  } else if (lost !== null) lines.push(LOG_LOST);
  else if (damage.some(({ key }) => key === '')) lines.push(RESTORE);
  else {
    lines.push(
      'restore the folder from a copy, or run `leveret check --repair`, which takes out what is damaged',
    );
  }
  return lines.join('\n');
}

function countsOf({ rows, queues }: CheckedData['report']): string {
  const messages = queues.reduce((sum, queue) => sum + queue.messages, 0);
  return [
    counted(rows, 'row'),
    counted(queues.length, 'durable queue'),
    `${counted(messages, 'message')} in ${queues.length === 1 ? 'it' : 'them'}`,
  ].join(', ');
}

const LOG_LOST =
  'The rows are whole only with what that file held, and are not looked at: bring batches.log back as it was, restore the ' +
  'folder from a copy, or run `leveret check --repair`, which goes on without it.';

/** What the log of batches had that the rows had not; nothing where it had nothing. */
function linesOfLog(log: CheckedData['log']): string[] {
  if (log === null) return [];
  const { records, bytes, tornBytes } = log;
  const lines: string[] = [];
  if (records > 0) {
    const had = `${counted(records, 'record')} of batches.log, ${counted(bytes, 'byte')}`;
    lines.push(`${had}, that data.mdb did not have: now it has them`);
  }
  if (tornBytes > 0) {
    const torn = `a write to batches.log of ${counted(tornBytes, 'byte')} that was cut off`;
    lines.push(`${torn}: nothing of it was confirmed`);
  }
  return lines;
}
