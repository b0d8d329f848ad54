// Owns the past of a broker: its main counts and levels, its busiest vhosts and queues; and history time, which runs
// evenly while the time of day may be set. Never looks at the broker: the window does, every 5 s.

import type { Clock } from '../../../util/clock.ts';
import { COUNT_FIELDS, COUNT_TRAITS } from '../counts.ts';
import { Busiest } from './busiest.ts';
import { type FieldSpec, Series, TIERS } from './series.ts';

/** So many queues and vhosts have a past of their own. */
export const QUEUES_KEPT = 500;
export const VHOSTS_KEPT = 50;

const counters = (...names: string[]): FieldSpec[] =>
  names.map((name) => ({ name, counter: true }));
const levels = (...names: string[]): FieldSpec[] => names.map((name) => ({ name, counter: false }));

const CHANNEL_COUNTS = COUNT_FIELDS.map((field) => COUNT_TRAITS[field].name);
/** Which counts a queue has, in the order of its fields. */
export const QUEUE_COUNTS = COUNT_FIELDS.filter((field) => COUNT_TRAITS[field].of !== 'channels');
const LENGTHS = levels('messages_ready', 'messages_unacknowledged');
const BYTES = counters('recv_oct', 'send_oct');

/** The fields of each kind of object, by RabbitMQ's names where it has them. */
export const QUEUE_FIELDS: readonly FieldSpec[] = [
  ...counters(...QUEUE_COUNTS.map((field) => COUNT_TRAITS[field].name)),
  ...LENGTHS,
];
export const VHOST_FIELDS: readonly FieldSpec[] = [
  ...counters(...CHANNEL_COUNTS),
  ...BYTES,
  ...LENGTHS,
];
export const BROKER_FIELDS: readonly FieldSpec[] = [
  ...VHOST_FIELDS,
  ...levels('connections', 'channels', 'consumers', 'queues', 'exchanges'),
  ...counters('connection_created', 'connection_closed', 'channel_created', 'channel_closed'),
  ...counters('queue_declared', 'queue_created', 'queue_deleted'),
  ...levels('mem_used', 'disk_free', 'fd_used', 'sockets_used', 'proc_used'),
  ...counters('io_sync_count', 'io_sync_time', 'io_write_bytes'),
];

/** How often a look is taken, ms. */
export const STEP_MS = TIERS[0].stepMs;

/** The past of one broker. */
export class History {
  readonly broker = new Series(
    BROKER_FIELDS,
    BROKER_FIELDS.map(() => 0),
    true,
  );
  /** When the last look was over, in history time; below 0: there was none yet. */
  lookedMs = -1;
  readonly queues = new Busiest(QUEUE_FIELDS, QUEUES_KEPT);
  readonly vhosts = new Busiest(VHOST_FIELDS, VHOSTS_KEPT);
  /** History time is the monotonic clock plus this; at the first look it is the time of day. */
  private aheadMs: number | null = null;

  /** History time, ms. */
  now(clock: Clock): number {
    this.aheadMs ??= clock.wallMs() - clock.monotonicMs();
    return clock.monotonicMs() + this.aheadMs;
  }

  /** How long until the next look is due, ms. */
  untilNextLook(clock: Clock): number {
    return STEP_MS - (this.now(clock) % STEP_MS);
  }

  /** What the rings take in memory. */
  get bytes(): number {
    return this.broker.bytes + this.queues.bytes + this.vhosts.bytes;
  }
}
