// Owns the two streams of a log: making them, however many nodes do so at once, and refusing ones that would not keep what
// the log promises. Never reads or writes records.

import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../util/clock.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import { StoreError } from '../../errors.ts';
import { UnansweredError } from '../log-client.ts';
import {
  type Fields,
  fieldsOf,
  listOf,
  NatsError,
  NO_PEERS,
  numberOf,
  STREAM_NAME_IN_USE,
  STREAM_NOT_FOUND,
  textOf,
} from './answers.ts';
import { type NatsNames, type NatsPlace, namesOf } from './place.ts';
import { type NatsWay, pause } from './way.ts';

/** How long it goes on trying, ms: servers that were started a moment ago choose leaders first. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 500;
/** Making a stream of several replicas takes longer than other requests. */
const MAKE_MS = 5000;

const ID_BYTES = 16;
const SECRET_BYTES = 32;
const META_ID = 'leveret-log';
const META_SECRET = 'leveret-secret';
/** What is sent twice is told apart by Leveret, and costs the servers memory. */
const DUPLICATE_WINDOW_NS = 1_000_000_000;

/** What is known of a log once its streams are there. */
export interface OpenedStreams {
  readonly names: NatsNames;
  /** See LogState. */
  readonly id: string;
  /** A random text, 64 hex digits, that all who may read the log have alike. */
  readonly secret: string;
  /** What an operator should know, in sentences. */
  readonly warnings: readonly string[];
}

/** Has both streams of a place be there. Rejects with a StoreError. */
export async function openStreams(way: NatsWay, place: NatsPlace): Promise<OpenedStreams> {
  const names = namesOf(place);
  const secret = await secretOfCluster(way, place);
  const log = await patiently(() => found(way, names.log, logSettings(names.log, place, secret)));
  checkSettings(names.log, log, logDemands(names.log), place.replicas);
  const lease = await patiently(() => found(way, names.lease, leaseSettings(names.lease, place)));
  checkSettings(names.lease, lease, leaseDemands(names.lease), place.replicas);
  const metadata = fieldsOf(log['metadata']);
  const id = textOf(metadata[META_ID]);
  if (!/^[0-9a-f]{32}$/.test(id)) {
    const what = `the stream ${names.log} was not made by Leveret: it has no name of a log`;
    throw new StoreError(what, 'remove it, or choose another cluster.name');
  }
  const warnings: string[] = [];
  await patiently(() => suitRoom(way, names.log, log, place, warnings));
  return { names, id, secret: textOf(metadata[META_SECRET]), warnings };
}

/** The secret for a new log: that of the group which has it for all, or a new one where this is that group. */
async function secretOfCluster(way: NatsWay, place: NatsPlace): Promise<string> {
  const { cluster, group, secretOf } = place;
  if (group === secretOf) return randomBytes(SECRET_BYTES).toString('hex');
  const { log } = namesOf({ cluster, group: secretOf });
  return patiently(async () => {
    try {
      const { config } = await way.call(`STREAM.INFO.${log}`, '');
      return textOf(fieldsOf(fieldsOf(config)['metadata'])[META_SECRET]);
    } catch (error) {
      if (!isNatsError(error, STREAM_NOT_FOUND)) throw error;
      const what = `the cluster ${cluster} has no log of the group ${secretOf}, which knows its users and vhosts`;
      throw new StoreError(what, `start a node with cluster.group = ${secretOf} first`);
    }
  });
}

/** The settings of a stream, which is made where there is none. */
async function found(way: NatsWay, name: string, settings: Fields): Promise<Fields> {
  const info = async (): Promise<Fields> =>
    fieldsOf((await way.call(`STREAM.INFO.${name}`, ''))['config']);
  try {
    return await info();
  } catch (error) {
    if (!isNatsError(error, STREAM_NOT_FOUND)) throw error;
  }
  try {
    await way.call(`STREAM.CREATE.${name}`, jsonText(settings), MAKE_MS);
  } catch (error) {
    // Another node was faster: it gave the log its name.
    if (!isNatsError(error, STREAM_NAME_IN_USE)) throw error;
  }
  return info();
}

const commonSettings = (name: string, { replicas }: NatsPlace) => ({
  name,
  subjects: [name],
  retention: 'limits',
  storage: 'file',
  num_replicas: replicas,
  max_age: 0,
  max_consumers: -1,
  max_msgs_per_subject: -1,
  duplicate_window: DUPLICATE_WINDOW_NS,
  allow_direct: false,
});

const logSettings = (name: string, place: NatsPlace, secret: string): Fields => ({
  ...commonSettings(name, place),
  description: 'The log of a Leveret cluster: never change it by hand',
  discard: 'new',
  max_bytes: place.logBytesMax,
  max_msgs: -1,
  deny_delete: true,
  metadata: {
    [META_ID]: randomBytes(ID_BYTES).toString('hex'),
    [META_SECRET]: secret,
  },
});

const leaseSettings = (name: string, place: NatsPlace): Fields => ({
  ...commonSettings(name, place),
  description: 'Which node leads a Leveret cluster',
  discard: 'old',
  max_bytes: -1,
  max_msgs: 1,
  deny_delete: true,
});

/** What a setting has to be. */
type Demand = readonly [name: string, values: readonly unknown[]];

/** Unset is as good as the value that it stands for. */
const commonDemands = (name: string): readonly Demand[] => [
  ['subjects', [name]],
  ['retention', ['limits']],
  ['storage', ['file']],
  ['max_age', [0, undefined]],
  ['max_msgs_per_subject', [-1, 0, undefined]],
  ['max_msg_size', [-1, 0, undefined]],
  ['persist_mode', ['', 'default', undefined]],
  ['no_ack', [false, undefined]],
  ['sealed', [false, undefined]],
  ['mirror', [undefined, null]],
  ['sources', [undefined, null]],
  ['subject_transform', [undefined, null]],
  ['allow_rollup_hdrs', [false, undefined]],
  ['allow_msg_ttl', [false, undefined]],
];

const logDemands = (name: string): readonly Demand[] => [
  ...commonDemands(name),
  ['discard', ['new']],
  ['max_msgs', [-1, 0, undefined]],
  ['deny_delete', [true]],
];

const leaseDemands = (name: string): readonly Demand[] => [
  ...commonDemands(name),
  ['discard', ['old', undefined]],
  ['max_msgs', [1]],
];

/** Refuses a stream that is set so that it may lose, change or hide what was put into it. */
function checkSettings(
  name: string,
  settings: Fields,
  demands: readonly Demand[],
  replicas: number,
): void {
  for (const [setting, values] of demands) {
    const value = settings[setting];
    const list = listOf(value);
    const single = Array.isArray(value) ? (list.length === 1 ? list[0] : jsonText(list)) : value;
    if (values.includes(single)) continue;
    const what = `the stream ${name} has ${setting} = ${jsonText(value) ?? 'nothing'}, which a log of Leveret must not have`;
    throw new StoreError(what, 'set it back, or choose another cluster.name');
  }
  const there = numberOf(settings['num_replicas']);
  if (there >= replicas) return;
  throw new StoreError(
    `the stream ${name} has ${there} replicas, and cluster.replicas is ${replicas}`,
    `run 'nats stream edit ${name} --replicas ${replicas}', or lower cluster.replicas`,
  );
}

/** Gives the log more room where the configuration has more; never less, which another node may need. */
async function suitRoom(
  way: NatsWay,
  name: string,
  settings: Fields,
  { logBytesMax }: NatsPlace,
  warnings: string[],
): Promise<void> {
  const there = numberOf(settings['max_bytes']);
  if (there === logBytesMax) return;
  if (there > 0 && there < logBytesMax) {
    await way.call(`STREAM.UPDATE.${name}`, jsonText({ ...settings, max_bytes: logBytesMax }));
    return;
  }
  const limit = there <= 0 ? 'no limit' : `a limit of ${there} bytes`;
  warnings.push(
    `the stream ${name} has ${limit}, and cluster.log_bytes_max is ${logBytesMax}: a node never lowers it`,
  );
}

/** A stream that another node has begun to make is in use and not yet found; servers that have just started count as away. */
const PASSING: ReadonlySet<number> = new Set([STREAM_NOT_FOUND, NO_PEERS]);

/** The servers have set aside less than the log may take. */
const NO_STORAGE = 10047;

/** Tries until the servers can do it, or say why they cannot. */
async function patiently<T>(run: () => Promise<T>): Promise<T> {
  const endMs = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    try {
      return await run();
    } catch (cause) {
      if (!(cause instanceof UnansweredError || cause instanceof NatsError)) throw cause;
      const mayPass =
        cause instanceof UnansweredError || cause.status === 503 || PASSING.has(cause.code);
      if (!mayPass || systemClock.monotonicMs() >= endMs) {
        const what = `NATS has not made the streams of the log: ${cause.message}`;
        const hint =
          cause instanceof NatsError && cause.code === NO_STORAGE
            ? 'raise max_file_store in the jetstream block of the servers, or lower cluster.log_bytes_max'
            : 'see that JetStream is on and has room, and the rights of the user';
        throw new StoreError(what, hint, { cause });
      }
    }
    await pause(AGAIN_MS);
  }
}

function isNatsError(error: unknown, code: number): boolean {
  return error instanceof NatsError && error.code === code;
}
