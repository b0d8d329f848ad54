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

/** Says in a line how many messages of a queue wait, for a verb that shows others of it. */
export async function tellDelayed(api: HttpApi, path: string, queue: Arguments): Promise<void> {
  const { messages_delayed: count } = await api.get<Waiting>(`${path}?columns=messages_delayed`);
  if (typeof count !== 'number' || count === 0) return;
  printError(`${waits(count)}: leveret delayed ${printableLine(String(queue))}\n`);
}

function waits(count: number): string {
  return count === 1 ? '1 message waits for its time' : `${count} messages wait for their time`;
}

async function list(api: HttpApi, path: string, options: Options): Promise<Listing> {
  const wanted = Number(options['limit']);
  const { messages, delayed } = await api.get<{
    readonly messages: readonly Delayed[];
    readonly delayed: number;
  }>(`${path}/delayed?count=${wanted}`);
  if (formatOf(options) === 'table') {
    const { retry_rule: rule } = await api.get<Waiting>(`${path}?columns=retry_rule`);
    const some = delayed === 0 ? '' : `${waits(delayed)}. `;
    printError(`${some}${printableLine(String(rule ?? ''))}\n`);
  }
  if (messages.length < delayed) printError('There are more: give a higher --limit\n');
  const unreadable = messages.some(({ error }) => error !== undefined);
  return {
    columns: unreadable ? [...COLUMNS, 'error'] : COLUMNS,
    rows: messages.map((each) => ({ ...each, due: new Date(each.due_at).toISOString() })),
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
