// Owns the verbs for what reads the streams of a running broker: which groups there are and how far each is behind, and
// setting their places. Never reads a time or an offset: the broker does.

import type { Listing } from '../../output.ts';
import { ApiError, type HttpApi, part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Arguments, Options } from '../../verb/verb.ts';

/** A consumer as the API names it; null: there is none. */
type Named = { readonly consumer_tag: string } | null;

/** A group, or a reader, as the API lists it. */
interface Row {
  readonly lag_seconds: number | null;
  readonly active_consumer: Named;
  readonly consumers: unknown;
}

/** The last id of a publisher, in the queue that it is of. */
interface LastId {
  readonly queue: string;
}

/** Where the API has a stream. */
interface Place {
  readonly path: string;
  readonly queue: string;
}

/** A binding of a super stream to one of its partitions. */
interface PartitionBinding {
  readonly destination: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

const ORDER = 'x-stream-partition-order';
const OFFSET_WORDS: readonly string[] = ['first', 'last', 'next'];
const OF_SUPER = 'Of a super stream, it is done for each partition.';

export const streamVerbs: readonly LiveVerb[] = [
  {
    name: 'groups',
    arguments: '<stream>',
    about: 'List the groups that have a place in a stream, with how far each is behind.',
    vhost: true,
    more: OF_SUPER,
    run: async (api, [stream], options): Promise<Listing> => ({
      columns: [
        ...['queue', 'name', 'offset', 'lag_messages', 'lag_seconds'],
        ...['consumers', 'active', 'moved'],
      ],
      rows: (await rowsOf<{ moved_at: number }>(api, stream, 'groups', options)).map((row) => ({
        ...row,
        active: row.active_consumer?.consumer_tag ?? '',
        moved: new Date(row.moved_at).toISOString(),
      })),
    }),
  },
  {
    name: 'readers',
    arguments: '<stream>',
    about: 'List what reads a stream now: consumers by themselves, and groups.',
    vhost: true,
    more: OF_SUPER,
    run: async (api, [stream], options): Promise<Listing> => ({
      columns: [
        ...['queue', 'group', 'next_offset', 'offset', 'until_offset'],
        ...['lag_messages', 'lag_seconds', 'consumers', 'active'],
      ],
      rows: (await rowsOf(api, stream, 'readers', options)).map((row) => ({
        ...row,
        active: row.active_consumer?.consumer_tag ?? '',
        consumers: (row.consumers as readonly unknown[]).length,
      })),
    }),
  },
  {
    name: 'set-place',
    arguments: '<stream> <group> <place>',
    about: 'Set where a group goes on, while it has no consumers.',
    vhost: true,
    more:
      'The place is an offset, first, last or next; a time such as 2026-01-31T08:00:00Z; or a span such as 1h, ' +
      `that long ago. The last 100 messages: set-place -- STREAM GROUP -100. ${OF_SUPER}`,
    run: async (api, [stream, group, place], options) => {
      const set: string[] = [];
      for (const { path, queue } of await pathsOf(api, stream, options)) {
        const body = placeOf(String(place));
        const answer = await api.call('PUT', `${path}/groups/${part(String(group))}`, body);
        set.push(`${(answer as { readonly offset: number }).offset} in '${queue}'`);
      }
      return `Set the place of the group '${group}' to ${set.join(', ')}\n`;
    },
  },
  {
    name: 'publisher',
    arguments: '<stream> <publisher>',
    about: 'Show the last id that is stored under the name of a publisher.',
    vhost: true,
    more: 'Of a super stream, it is looked for in each partition.',
    run: async (api, [stream, publisher], options): Promise<Listing> => {
      const rows: LastId[] = [];
      const ofPublisher = `publishers/${part(String(publisher))}`;
      await eachThere(await pathsOf(api, stream, options), async ({ path, queue }) => {
        rows.push({ queue, ...(await api.get<object>(`${path}/${ofPublisher}`)) });
      });
      return { columns: ['queue', 'publisher', 'last_id'], rows };
    },
  },
  {
    name: 'forget-group',
    arguments: '<stream> <group>',
    about: 'Forget the place of a group, which then begins anew; while it has no consumers.',
    vhost: true,
    more: OF_SUPER,
    run: async (api, [stream, group], options) => {
      const forgotten: string[] = [];
      await eachThere(await pathsOf(api, stream, options), async ({ path, queue }) => {
        await api.call('DELETE', `${path}/groups/${part(String(group))}`);
        forgotten.push(`'${queue}'`);
      });
      return `Forgot the group '${group}' in ${forgotten.join(', ')}\n`;
    },
  },
];

/** What is asked of each of some streams, of which not all need have it; throws where none has. */
async function eachThere(
  streams: readonly Place[],
  act: (stream: Place) => Promise<void>,
): Promise<void> {
  let there = 0;
  for (const stream of streams) {
    try {
      await act(stream);
      there += 1;
    } catch (error) {
      // A group need not have been given a place in each partition, nor a publisher an id.
      const last = stream === streams.at(-1);
      if (!isMissing(error) || (last && there === 0)) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** What a word for a place is in the API: numbers and words are offsets, all else is a time. */
function placeOf(word: string): object {
  const isOffset = /^[+-]?\d+$/.test(word) || OFFSET_WORDS.includes(word);
  return isOffset ? { offset: word } : { time: word };
}

/** The rows of a stream, or of all partitions of a super stream, each with the queue that it is of. */
async function rowsOf<T>(
  api: HttpApi,
  stream: Arguments | undefined,
  what: string,
  options: Options,
): Promise<(T & Row & { queue: string })[]> {
  const all: (T & Row & { queue: string })[] = [];
  for (const { path, queue } of await pathsOf(api, stream, options)) {
    const rows = await api.get<(T & Row)[]>(`${path}/${what}`);
    for (const row of rows) all.push({ ...row, queue });
  }
  return all;
}

/** The path of a stream; of a super stream those of its partitions, in their order. */
async function pathsOf(
  api: HttpApi,
  stream: Arguments | undefined,
  options: Options,
): Promise<Place[]> {
  const name = String(stream);
  const vhost = vhostOf(options);
  const pathOf = (queue: string) => ({ queue, path: `/queues/${vhost}/${part(queue)}` });
  try {
    await api.get<object>(`${pathOf(name).path}?columns=type`);
    return [pathOf(name)];
  } catch (error) {
    if (!isMissing(error)) throw error;
    const queues = await partitionsOf(api, vhost, name);
    if (queues.length === 0) throw error;
    return queues.map(pathOf);
  }
}

/** The partitions of a super stream in their order; none where it is no such thing. */
async function partitionsOf(api: HttpApi, vhost: string, name: string): Promise<string[]> {
  try {
    const path = `/exchanges/${vhost}/${part(name)}/bindings/source`;
    const bindings = await api.get<PartitionBinding[]>(path);
    const place = ({ arguments: args }: PartitionBinding): number => Number(args[ORDER]);
    return bindings
      .filter((binding) => ORDER in binding.arguments)
      .sort((a, b) => place(a) - place(b))
      .map(({ destination }) => destination);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
