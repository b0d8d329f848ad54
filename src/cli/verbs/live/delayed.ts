// Owns the verb for messages of a running broker that wait for their time: what waits, send it now, drop it.

import { Option } from 'commander';
import { printableLine } from '../../../util/log/printable.ts';
import { UsageError } from '../../exit-codes.ts';
import { counted, type Listing } from '../../output.ts';
import { printError } from '../../print.ts';
import { formatOf } from '../../verb/answers.ts';
import { type HttpApi, part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Arguments, Options } from '../../verb/verb.ts';
import { parseCount } from '../../verb/verb-runner.ts';

/** A message as the API lists it. */
interface Delayed {
  readonly id: string;
  readonly due_at: number;
  readonly returns: number;
  readonly error?: string;
  /** Not there in one that cannot be read. */
  readonly properties?: { readonly headers?: Readonly<Record<string, unknown>> };
}

/** Those that the API lists, of so many. */
interface Listed {
  readonly messages: readonly Delayed[];
  readonly delayed: number;
}

/** What the API says of a queue. */
interface Waiting {
  readonly messages_delayed?: number;
  readonly retry_rule?: string;
}

/** So many ids go into one request. */
const IDS_AT_ONCE = 1000;
const COLUMNS = ['id', 'due', 'returns', 'exchange', 'routing_key', 'properties', 'payload'];

export const delayedVerb: LiveVerb = {
  name: 'delayed',
  arguments: '<queue>',
  about: 'Show messages that wait for a delay or another try; send them now, or drop them.',
  vhost: true,
  options: [
    new Option('-c, --limit <n>', 'The most to show, 1000 at most.')
      .argParser(parseCount)
      .default(20),
    new Option('--send', 'Make them ready now: all, or those of --id.').conflicts('drop'),
    new Option('--drop', 'Delete them: all, or those of --id.'),
    new Option('--id <id...>', 'Only these, by the ids that the list shows.'),
  ],
  run: async (api, [queue], options) => {
    const path = `/queues/${vhostOf(options)}/${part(String(queue))}`;
    const ids = options['id'] as readonly string[] | undefined;
    if (options['send'] === true) return handle(api, path, 'send', ids);
    if (options['drop'] === true) return handle(api, path, 'drop', ids);
    if (ids !== undefined) throw new UsageError('--id goes with --send or --drop');
    return list(api, path, options);
  },
};

/**
 * The messages of a queue that wait, so many at most, for a verb that shows its others: with the state `delayed`, and
 * `due`. A line on standard error says how many more wait.
 */
export async function browseDelayed(
  api: HttpApi,
  path: string,
  queue: Arguments,
  most: number,
): Promise<(Delayed & { state: string; due: string })[]> {
  const { messages_delayed: count } = await api.get<Waiting>(`${path}?columns=messages_delayed`);
  if (typeof count !== 'number' || count === 0) return [];
  const messages = most > 0 ? (await waitingOf(api, path, Math.min(most, 1000))).messages : [];
  const rest = count - messages.length;
  const more = messages.length > 0 ? ' beside these' : '';
  if (rest > 0)
    printError(`${waits(rest)}${more}: leveret delayed ${printableLine(String(queue))}\n`);
  return messages.map((each) => ({ ...each, state: 'delayed', due: dueOf(each) }));
}

function waitingOf(api: HttpApi, path: string, most: number): Promise<Listed> {
  return api.get<Listed>(`${path}/delayed?count=${most}`);
}

function dueOf({ due_at: at }: Delayed): string {
  return new Date(at).toISOString();
}

function waits(count: number): string {
  return count === 1 ? '1 message waits for its time' : `${count} messages wait for their time`;
}

async function list(api: HttpApi, path: string, options: Options): Promise<Listing> {
  const wanted = Number(options['limit']);
  const { messages, delayed } = await waitingOf(api, path, wanted);
  if (formatOf(options) === 'table') {
    const { retry_rule: rule } = await api.get<Waiting>(`${path}?columns=retry_rule`);
    const some = delayed === 0 ? '' : `${waits(delayed)}. `;
    printError(`${some}${printableLine(String(rule ?? ''))}\n`);
  }
  if (messages.length < delayed) printError('There are more: give a higher --limit\n');
  const unreadable = messages.some(({ error }) => error !== undefined);
  return {
    columns: unreadable ? [...COLUMNS, 'error'] : COLUMNS,
    rows: messages.map((each) => ({ ...each, due: dueOf(each) })),
    whole: true,
  };
}

async function handle(
  api: HttpApi,
  path: string,
  action: 'send' | 'drop',
  ids: readonly string[] | undefined,
): Promise<string> {
  let done = 0;
  let gone = 0;
  for (let from = 0; from < (ids?.length ?? 1); from += IDS_AT_ONCE) {
    const some = ids === undefined ? {} : { ids: ids.slice(from, from + IDS_AT_ONCE) };
    const answer = (await api.call('POST', `${path}/delayed`, { action, ...some })) as {
      readonly done: number;
      readonly not_there: number;
    };
    done += answer.done;
    gone += answer.not_there;
  }
  const rest = gone === 0 ? '' : `; nothing waits under ${counted(gone, 'id')}`;
  return `${action === 'send' ? 'Sent' : 'Dropped'} ${counted(done, 'message')}${rest}\n`;
}
