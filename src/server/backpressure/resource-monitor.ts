// Owns when memory, disk and the log of a cluster are looked at, and when an alarm comes on and goes. Never blocks a connection:
// it changes broker/core/alarms.ts and says so.
//
//   free ----------|-------------------------|-------------- limit
//         in flight        margin: the next look comes before it can be written
//
// What is in flight are bodies that come in, messages that no batch has yet, and batches that are not
// known to be durable: all of that may still be missing from what the system calls used.

import type { Logger } from 'pino';
import type { Alarms, Resource } from '../../broker/core/alarms.ts';
import type { Clock } from '../../util/clock.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { Machine } from './machine.ts';

/** What the operator allows; see config/settings.ts. */
export interface ResourceSettings {
  /** A part of all memory, and what is counted in its place where it is given. */
  readonly memoryWatermark: number;
  readonly memoryWatermarkBytes: number | null;
  readonly memoryTotalBytes: number | null;
  readonly memoryIntervalMs: number;
  readonly diskFreeLimitBytes: number;
  /** In terms of all memory; counts where the absolute limit is the default. */
  readonly diskFreeLimitRelative: number | null;
}

/** The absolute limit that gives way to a relative one. */
export const DISK_FREE_LIMIT_BYTES = 50_000_000;

/** What may still be written though no more is read. */
export interface InFlight {
  /** Bytes of contents that are being received, or wait for a commit. */
  readonly receivingBytes: number;
  /** Bytes that the next batch will hold. */
  readonly unsealedBytes: number;
  /** Bytes handed to the store so far, and those of them known to be durable. */
  readonly sealedBytes: number;
  readonly durableBytes: number;
  /** Bytes of transient messages that leave memory for the disk. */
  readonly spillingBytes: number;
  /** Room in the store's files that is written before they grow. */
  readonly reusableBytes: number;
  /** Bytes that are durable in the log before the tables, and go into these soon. */
  readonly unappliedBytes: number;
}

/** The log that several nodes share, as this one has seen it last, with what it wrote itself since. Bytes. */
export interface LogSpace {
  readonly used: number;
  /** What it may take; 0: it is not known yet. */
  readonly max: number;
}

/** An alarm comes on at this part of what the log may take, and goes once trimming has made this much of it free again. */
const LOG_PART = 0.8;
const LOG_SLACK_PART = 0.1;

/** LMDB stores whole pages, and the path to each of them anew. */
const STORED_PER_BYTE = 2;
const COMMIT_BYTES = 2 ** 20;
/** What is large is stored with less around it; and it must not wait for room that it would not take. */
const RECEIVED_PER_BYTE = 1.25;
/** Between two looks no more than this part of a margin may be used up. */
const LOOKS_PER_MARGIN = 4;
const LOOK_BYTES_MIN = 256 * 1024;
const LOOK_BYTES_MAX = 64 * 2 ** 20;
/** How often to look while an alarm is on, or the disk within `NEAR_BYTES` of one. */
const CLOSE_INTERVAL_MS = 500;
const NEAR_BYTES = 2 ** 30;
/** An alarm goes once so much more is free than the limit asks for. */
const MEMORY_SLACK = 0.05;
const DISK_SLACK = 0.1;
const DISK_SLACK_BYTES_MIN = 4 * 2 ** 20;
const DISK_SLACK_BYTES_MAX = 32 * 2 ** 20;
/**
 * So much of the room inside the store's file is left out: what the last commits let go of cannot be used
 * yet, and a value of 64 KiB wants sixteen pages in a row, which the last free ones may not be.
 */
const INNER_RESERVE_BYTES = 16 * 2 ** 20;
const INNER_RESERVE_PART = 0.125;
/** Collecting garbage by force takes time: not more often than this, unless it paid. */
const COLLECT_INTERVAL_MS = 2000;

/** An alarm lasts so long at least: what was in flight may all be written, and the next rush come. */
const ALARM_MS_MIN = 2000;

/** What it works with. */
export interface MonitorParts {
  readonly machine: Machine;
  readonly alarms: Alarms;
  readonly inFlight: InFlight;
  /** Null: this broker shares no log. */
  readonly logSpace: LogSpace | null;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when an alarm goes on or off. */
  readonly changed: () => void;
  /** Told after each look while an alarm is on. */
  readonly stillOn: () => void;
}

/** Looks at memory, disk and log by time, and by what is read from sockets. */
export class ResourceMonitor {
  private readonly machine: Machine;
  private readonly alarms: Alarms;
  private readonly inFlight: InFlight;
  private readonly logSpace: LogSpace | null;
  private intervalMs = 0;
  private readonly wheel: TimerWheel;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly changed: () => void;
  private readonly stillOn: () => void;
  private readonly timer = new WheelTimer(() => this.round());
  /** So much may be read before the next look. */
  private bytesLeft = LOOK_BYTES_MIN;
  private storedSeen = 0;
  private receivingSeen = 0;
  /** Since when each alarm is on, or off. */
  private readonly sinceMs = { memory: 0, disk: 0, log: 0 };
  private asking = false;
  private askAgain = false;
  private lastFree = Number.POSITIVE_INFINITY;
  /** What was known to be durable when `lastFree` was asked for. */
  private durableAtLook = 0;
  private reusable = 0;
  /** What the tables still had to take up when the free space was asked for. */
  private unapplied = 0;
  private collectedMs = Number.NEGATIVE_INFINITY;
  private collectedBytes = 0;
  private blind = false;

  constructor(settings: ResourceSettings, parts: MonitorParts) {
    const { machine, alarms } = parts;
    this.machine = machine;
    this.alarms = alarms;
    this.inFlight = parts.inFlight;
    this.logSpace = parts.logSpace;
    this.wheel = parts.wheel;
    this.clock = parts.clock;
    this.log = parts.log;
    this.changed = parts.changed;
    this.stillOn = parts.stillOn;
    this.go(settings);
  }

  /** Goes by other settings from now on, and looks at once. */
  settingsChanged(settings: ResourceSettings): void {
    const { memory, disk } = this.alarms;
    const before = [memory.limit, disk.limit, this.intervalMs];
    this.go(settings);
    const now = [memory.limit, disk.limit, this.intervalMs];
    if (now.some((each, at) => each !== before[at])) this.round();
  }

  private go(settings: ResourceSettings): void {
    const { machine, alarms } = this;
    this.intervalMs = settings.memoryIntervalMs;
    alarms.memory.limit = memoryLimit(settings, machine.memoryTotal);
    alarms.disk.limit = diskLimit(settings, machine.memoryTotal);
  }

  start(): void {
    this.round();
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }

  /** Told at the end of each turn how much was read in it. */
  bytesRead(bytes: number): void {
    // A message may be stored many times as long as it came in: in many queues, or as a dead letter.
    const { sealedBytes, unsealedBytes } = this.inFlight;
    const stored = sealedBytes + unsealedBytes;
    // Contents and transactions may hold more than was read: what stands around each of them counts too.
    const { receivingBytes } = this.inFlight;
    const held = receivingBytes - this.receivingSeen;
    this.bytesLeft -= Math.max(bytes, stored - this.storedSeen, held);
    this.storedSeen = stored;
    this.receivingSeen = receivingBytes;
    if (this.bytesLeft > 0) return;
    this.look();
  }

  private round(): void {
    this.look();
    const { alarms } = this;
    if (alarms.on) this.stillOn();
    const near = alarms.on || this.lastFree - alarms.disk.limit < NEAR_BYTES;
    const delay = near ? Math.min(this.intervalMs, CLOSE_INTERVAL_MS) : this.intervalMs;
    this.wheel.schedule(this.timer, delay);
  }

  private look(): void {
    this.lookAtMemory();
    if (this.logSpace !== null) this.lookAtLog(this.logSpace);
    this.judgeDisk();
    this.askDisk();
    this.plan();
  }

  /** Says how much may be read before the next look. */
  private plan(): void {
    const { memory, disk, log } = this.alarms;
    const ofDisk = (disk.now - disk.limit) / STORED_PER_BYTE;
    const margin = Math.min(memory.limit - memory.now, ofDisk, log.limit - log.now);
    const bytes = Math.max(LOOK_BYTES_MIN, margin / LOOKS_PER_MARGIN);
    this.bytesLeft = Math.min(LOOK_BYTES_MAX, bytes);
  }

  private lookAtMemory(): void {
    const { machine } = this;
    const { memory } = this.alarms;
    memory.now = machine.memoryInUse();
    const allowed = memory.measured ? memory.limit * (1 - MEMORY_SLACK) : memory.limit;
    // Limit 0 blocks every publisher, as in RabbitMQ.
    if (memory.now >= allowed && memory.limit > 0) this.collect();
    this.set(memory, memory.now >= allowed, 'memory');
  }

  /** Records are trimmed long after they were written: publishers are to wait before batches do, which acks are in too. */
  private lookAtLog({ used, max }: LogSpace): void {
    const { log } = this.alarms;
    if (max === 0) return;
    log.now = used;
    log.limit = max * LOG_PART;
    const allowed = log.measured ? log.limit - max * LOG_SLACK_PART : log.limit;
    this.set(log, log.now >= allowed, 'log');
  }

  /** Memory that is not used any more need not stop publishers; and an idle V8 keeps it. */
  private collect(): void {
    const { memory } = this.alarms;
    const recent = this.clock.monotonicMs() - this.collectedMs < COLLECT_INTERVAL_MS;
    if (recent && this.collectedBytes < memory.limit * MEMORY_SLACK) return;
    const before = memory.now;
    this.machine.collectGarbage();
    memory.now = this.machine.memoryInUse();
    this.collectedBytes = before - memory.now;
    this.collectedMs = this.clock.monotonicMs();
  }

  /** Asks for the free space; one question at a time. */
  private askDisk(): void {
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    const { durableBytes, unappliedBytes } = this.inFlight;
    this.machine.diskFree().then(
      (free) => this.answered(free, durableBytes, unappliedBytes),
      (error: unknown) => this.cannotSee(error),
    );
  }

  private answered(free: number, durable: number, unapplied: number): void {
    this.lastFree = free;
    this.durableAtLook = durable;
    this.reusable = this.inFlight.reusableBytes;
    this.unapplied = unapplied;
    this.blind = false;
    this.asking = false;
    this.judgeDisk();
    this.plan();
    if (!this.askAgain) return;
    this.askAgain = false;
    this.askDisk();
  }

  /** A look at the disk that fails blocks no publisher, but the log says so. */
  private cannotSee(error: unknown): void {
    this.asking = false;
    this.askAgain = false;
    this.lastFree = Number.POSITIVE_INFINITY;
    if (!this.blind) this.log.error({ err: error }, 'cannot read how much of the disk is free');
    this.blind = true;
    this.judgeDisk();
  }

  private judgeDisk(): void {
    const { disk } = this.alarms;
    const { inFlight, lastFree, durableAtLook } = this;
    const { unsealedBytes, sealedBytes } = inFlight;
    const received = inFlight.receivingBytes + inFlight.spillingBytes;
    const toWrite = unsealedBytes + sealedBytes - durableAtLook + this.unapplied;
    const needed =
      toWrite * STORED_PER_BYTE +
      received * RECEIVED_PER_BYTE +
      (toWrite + received === 0 ? 0 : COMMIT_BYTES);
    disk.now = lastFree + innerRoom(this.reusable) - needed;
    const slack = disk.measured ? slackOf(disk.limit) : 0;
    this.set(disk, disk.now < disk.limit + slack, 'disk');
  }

  private set(resource: Resource, alarm: boolean, name: 'memory' | 'disk' | 'log'): void {
    if (resource.measured === alarm) return;
    const nowMs = this.clock.monotonicMs();
    if (!alarm && nowMs - this.sinceMs[name] < ALARM_MS_MIN) return;
    this.sinceMs[name] = nowMs;
    resource.measured = alarm;
    const { now, limit } = resource;
    const fields = name === 'disk' ? { free: now, limit } : { inUse: now, limit };
    if (alarm) this.log.warn(fields, WARNINGS[name]);
    else this.log.info(fields, `${name} alarm is off: connections may publish again`);
    this.changed();
  }
}

/** What counts as free of the room inside the store's file. */
function innerRoom(reusable: number): number {
  return Math.max(0, reusable - Math.max(INNER_RESERVE_BYTES, reusable * INNER_RESERVE_PART));
}

/** How much more than the limit has to be free before an alarm of the disk goes. */
function slackOf(limit: number): number {
  return Math.min(Math.max(limit * DISK_SLACK, DISK_SLACK_BYTES_MIN), DISK_SLACK_BYTES_MAX);
}

const WARNINGS = {
  memory:
    'memory alarm: connections that publish are blocked until less is in use. ' +
    'Consume or purge messages, or raise vm_memory_high_watermark',
  disk:
    'disk alarm: connections that publish are blocked until more is free. ' +
    'Make room on the disk of data_dir, consume or purge messages, or lower disk_free_limit',
  log:
    'log alarm: connections that publish are blocked until the log of the cluster is trimmed. ' +
    'See that two nodes run, follow, and have room for snapshots (leveret cluster status), or raise cluster.log_bytes_max',
};

/** How much memory may be in use; `machineTotal` is what there is unless the settings say. */
export function memoryLimit(settings: ResourceSettings, machineTotal: number): number {
  const { memoryWatermark, memoryWatermarkBytes } = settings;
  const total = settings.memoryTotalBytes ?? machineTotal;
  // More than there is would never be reached.
  if (memoryWatermarkBytes !== null) return Math.min(memoryWatermarkBytes, total);
  return memoryWatermark === 0 ? 0 : memoryWatermark * total;
}

/** How much of the disk has to stay free. */
export function diskLimit(settings: ResourceSettings, machineTotal: number): number {
  const { diskFreeLimitBytes, diskFreeLimitRelative } = settings;
  if (diskFreeLimitRelative === null || diskFreeLimitBytes !== DISK_FREE_LIMIT_BYTES) {
    return diskFreeLimitBytes;
  }
  return diskFreeLimitRelative * (settings.memoryTotalBytes ?? machineTotal);
}
