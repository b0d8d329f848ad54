// Owns the verbs for super streams, in the spelling of leveret and in that of RabbitMQ's tool. Never makes one: the broker does.

import { InvalidArgumentError, Option } from 'commander';
import { type CtlCall, CtlError, type CtlVerb } from '../../ctl/ctl-verb.ts';
import { EXIT_SOFTWARE, UsageError } from '../../exit-codes.ts';
import { ApiError, part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Options } from '../../verb/verb.ts';
import { parseJsonOption } from '../../verb/verb-runner.ts';

/** A super stream as the API lists it. */
interface Row {
  readonly name: string;
  readonly messages: number;
  readonly partitions: readonly unknown[];
}

const UNITS: Readonly<Record<string, number>> = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };
const ISO =
  /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;
/** Seconds of each part of such a duration. */
const ISO_SECONDS = [31_536_000, 2_592_000, 604_800, 86_400, 3_600, 60, 1];

const KEYS_ABOUT = 'The keys of the partitions, with commas between them.';
const keysOf = (text: string): string[] => text.split(',').map((key) => key.trim());

/** `100gb`, `50mb`, or a number of bytes. */
function bytesOf(option: string) {
  return (text: string): number => {
    const [, digits, unit] = /^(\d+)(kb|mb|gb|tb)?$/i.exec(text) ?? [];
    const bytes = Number(digits) * (unit === undefined ? 1 : (UNITS[unit.toLowerCase()] as number));
    if (Number.isSafeInteger(bytes)) return bytes;
    throw new InvalidArgumentError(
      `Invalid value for --${option}, valid example values: 100gb, 50mb`,
    );
  };
}

/** `PT10M30S`, as seconds of `x-max-age`. */
function isoAge(text: string): string {
  const parts = ISO.exec(text)?.slice(1) ?? [];
  const seconds = parts.reduce(
    (sum, each, i) => sum + Number(each ?? 0) * (ISO_SECONDS[i] ?? 0),
    0,
  );
  if (seconds > 0) return `${seconds}s`;
  throw new InvalidArgumentError(
    'Invalid value for --max-age, the value must a ISO 8601 duration, e.g. e.g. PT10M30S for 10 minutes 30 seconds, P5DT8H for 5 days 8 hours.',
  );
}

function sizeOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(
    'Invalid value for --initial-cluster-size, the value must be positive.',
  );
}

const bytesOption = (name: string, about: string): Option =>
  new Option(`--${name} <bytes>`, about).argParser(bytesOf(name));

const PARTITIONS = new Option('--partitions <count>', 'How many partitions, numbered from 0 on.');
const MAX_BYTES = bytesOption('max-length-bytes', 'How much each partition keeps: 10gb.');
const SEGMENT_BYTES = bytesOption('stream-max-segment-size-bytes', 'Taken, without effect.');
const LOCATOR = new Option('--leader-locator <locator>', 'Taken, without effect.').choices([
  ...['client-local', 'balanced', 'random', 'least-leaders'],
]);
const CLUSTER = new Option('--initial-cluster-size <nodes>', 'Taken, without effect.').argParser(
  sizeOf,
);

/** The options that stand for arguments of the streams. */
const ARGUMENT_OF: Readonly<Record<string, string>> = {
  maxAge: 'x-max-age',
  maxLengthBytes: 'x-max-length-bytes',
  streamMaxSegmentSizeBytes: 'x-stream-max-segment-size-bytes',
  leaderLocator: 'x-queue-leader-locator',
  initialClusterSize: 'x-initial-cluster-size',
};

function argumentsOf(options: Options): Record<string, unknown> {
  const args: Record<string, unknown> = { ...((options['arguments'] as object) ?? {}) };
  for (const [option, name] of Object.entries(ARGUMENT_OF)) {
    if (options[option] !== undefined) args[name] = options[option];
  }
  return args;
}

/** The body that asks for partitions. Throws a UsageError where both ways are used. */
function bodyOf(options: Options): object {
  const { partitions } = options;
  const keys = options['bindingKeys'] ?? options['routingKeys'];
  if (partitions !== undefined && keys !== undefined) {
    throw new UsageError('Specify --partitions or routing-keys, not both.');
  }
  if (keys !== undefined) return { binding_keys: keys };
  if (partitions === undefined) return {};
  const count = Number(partitions);
  if (Number.isSafeInteger(count) && count > 0) return { partitions: count };
  throw new UsageError('The partition number must be greater than 0');
}

const MAKING = [
  PARTITIONS,
  new Option('--binding-keys <keys>', KEYS_ABOUT).argParser(keysOf),
  new Option('--max-age <age>', 'How long each partition keeps messages: 7D, 12h.'),
  MAX_BYTES,
  new Option('--arguments <json>', 'Other arguments of the streams, as a JSON object.').argParser(
    parseJsonOption,
  ),
];

export const superStreamVerbs: readonly LiveVerb[] = [
  {
    name: 'add',
    arguments: '<name>',
    about:
      'Make a super stream: an exchange, its partitions, which are streams, and their bindings.',
    vhost: true,
    options: MAKING,
    more: 'Without --partitions and --binding-keys there are 3 partitions.',
    run: async (api, [name], options) => {
      const path = `/super-streams/${vhostOf(options)}/${part(String(name))}`;
      await api.call('PUT', path, { ...bodyOf(options), arguments: argumentsOf(options) });
      return `Made the super stream '${name}'\n`;
    },
  },
  {
    name: 'add-partitions',
    arguments: '<name>',
    about: 'Add partitions to a super stream; most keys go to others from then on.',
    vhost: true,
    options: MAKING,
    more: 'Without --max-age and the like the new ones are as those that there are.',
    run: async (api, [name], options) => {
      const args = argumentsOf(options);
      const path = `/super-streams/${vhostOf(options)}/${part(String(name))}/partitions`;
      const given = Object.keys(args).length === 0 ? {} : { arguments: args };
      await api.call('POST', path, { ...bodyOf(options), ...given });
      return `Added partitions to the super stream '${name}'\n`;
    },
  },
  {
    name: 'delete',
    arguments: '<name>',
    about: 'Delete a super stream with its partitions and their messages.',
    vhost: true,
    run: async (api, [name], options) => {
      await api.call('DELETE', `/super-streams/${vhostOf(options)}/${part(String(name))}`);
      return `Deleted the super stream '${name}'\n`;
    },
  },
  {
    name: 'list',
    about: 'List the super streams.',
    vhost: true,
    run: async (api, _words, options) => ({
      columns: ['name', 'partitions', 'messages'],
      rows: (await api.get<Row[]>(`/super-streams/${vhostOf(options)}`)).map((row) => ({
        ...row,
        partitions: row.partitions.length,
      })),
    }),
  },
];

/** Ends with the words and the code of RabbitMQ's tool where the API refuses. */
async function judged(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.advice.startsWith('there is already')) {
      throw new CtlError(EXIT_SOFTWARE, `{:reference_already_exists, '${error.advice}'}`);
    }
    if (error.advice.startsWith('there is no super stream')) {
      throw new CtlError(EXIT_SOFTWARE, 'stream_not_found');
    }
    throw error;
  }
}

const pathOf = ({ words: [name = ''], vhost }: CtlCall): string =>
  `/super-streams/${part(vhost)}/${part(name)}`;

export const SUPER_STREAM_CTL_VERBS: readonly CtlVerb[] = [
  {
    name: 'add_super_stream',
    arguments: '<name>',
    about: 'Add a super stream.',
    options: [
      PARTITIONS,
      new Option('--routing-keys <keys>', KEYS_ABOUT).argParser(keysOf),
      new Option('--binding-keys <keys>', KEYS_ABOUT).argParser(keysOf),
      new Option('--max-age <duration>', 'How long each partition keeps messages: P7D.').argParser(
        isoAge,
      ),
      MAX_BYTES,
      SEGMENT_BYTES,
      LOCATOR,
      CLUSTER,
    ],
    banner: () => 'Adding a super stream ...',
    run: async (call) => {
      const body = { ...bodyOf(call.options), arguments: argumentsOf(call.options) };
      await judged(() => call.api.call('PUT', pathOf(call), body));
      return `Super stream ${call.words[0]} has been created\n`;
    },
  },
  {
    name: 'delete_super_stream',
    arguments: '<name>',
    about: 'Delete a super stream.',
    banner: () => 'Deleting a super stream ...',
    run: async (call) => {
      await judged(() => call.api.call('DELETE', pathOf(call)));
      return `Super stream ${call.words[0]} has been deleted\n`;
    },
  },
];
