// Owns what a node tells the others of itself: information for operators and tools, on which no batch's safety rests. Never
// sends it.

import { isObject } from '../util/json/json.ts';
import { parseAnswer } from '../util/json/json-input.ts';
import { jsonText } from '../util/json/json-writer.ts';
import { MAIN_GROUP } from '../util/system/main-group.ts';

/** What a node is doing. */
export type Role = 'leader' | 'follower' | 'joining';
const ROLES: readonly string[] = ['leader', 'follower', 'joining'] satisfies readonly Role[];

/** Where something listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** One node, as it told of itself last. */
export interface NodeRow {
  readonly node: string;
  /** The group of vhosts that it carries. */
  readonly group: string;
  /** Its name in the HTTP API, such as `leveret@n1`. */
  readonly name: string;
  readonly role: Role;
  readonly version: string;
  /** The epoch it is in: the place of the LEAD that began it. */
  readonly epoch: number;
  /** The last record up to which it has all changes, whether or not its tables say so yet. */
  readonly reached: number;
  /** The last record that its tables have, and the last one of the log that it knows of. */
  readonly applied: number;
  readonly last: number;
  /** For how long its tables have not been as far as the log was, ms. */
  readonly lagMs: number;
  /** How many records it has ignored, since they do not continue their epoch. */
  readonly ignored: number;
  /** Where clients reach it, `host:port`; null: nowhere. */
  readonly amqp: string | null;
  /** Where the other nodes reach it. */
  readonly peers: NodeAddress | null;
  /** The places of the checked snapshots that it has, the oldest first. */
  readonly snapshots: readonly number[];
  /** Milliseconds since it was started. */
  readonly upMs: number;
  /** The time that queues live by, as it knows it, ms; null: it does not. */
  readonly timeMs: number | null;
  /** What it uses; null: it does not tell. */
  readonly usage: NodeUsage | null;
}

/** What a node uses of its machine, and may: bytes, and files. */
export interface NodeUsage {
  readonly memUsed: number;
  readonly memLimit: number;
  readonly diskFree: number;
  readonly diskFreeLimit: number;
  readonly fdUsed: number;
  readonly fdTotal: number;
}

const GROUP = /^[A-Za-z0-9-]{1,64}$/;

/** No node tells more, bytes. */
const TEXT_BYTES_MAX = 4096;
const SNAPSHOTS_MAX = 16;

/** A row as it is sent. */
export function nodeRowBytes(row: NodeRow): Buffer {
  return Buffer.from(jsonText(row));
}

/**
 * Reads a row; null: this is none. Nodes of an earlier version are shown, too: a field that comes later has a value for where
 * it is not told.
 */
export function readNodeRow(bytes: Buffer): NodeRow | null {
  if (bytes.length > TEXT_BYTES_MAX) return null;
  let value: unknown;
  try {
    value = parseAnswer(bytes.toString('utf8'));
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  // Nodes of earlier versions do not say it.
  const { node, group = MAIN_GROUP, name, role, snapshots, version } = value;
  const numbers = [
    value['epoch'],
    value['reached'],
    value['applied'],
    value['last'],
    value['lagMs'],
    value['ignored'],
    value['upMs'],
  ];
  if (typeof node !== 'string' || typeof name !== 'string' || typeof version !== 'string')
    return null;
  if (typeof group !== 'string' || !GROUP.test(group)) return null;
  if (typeof role !== 'string' || !ROLES.includes(role)) return null;
  if (!numbers.every(isCount) || !Array.isArray(snapshots) || !snapshots.every(isCount))
    return null;
  const [epoch, reached, applied, last, lagMs, ignored, upMs] = numbers as Seven;
  return {
    node,
    group,
    name,
    role: role as Role,
    version,
    epoch,
    reached,
    applied,
    last,
    lagMs,
    ignored,
    amqp: typeof value['amqp'] === 'string' ? value['amqp'] : null,
    peers: addressIn(value['peers']),
    snapshots: (snapshots as number[]).slice(-SNAPSHOTS_MAX),
    upMs,
    timeMs: isCount(value['timeMs']) ? value['timeMs'] : null,
    usage: usageIn(value['usage']),
  };
}

/** Nodes of earlier versions do not tell it. */
function usageIn(value: unknown): NodeUsage | null {
  if (!isObject(value)) return null;
  const { memUsed, memLimit, diskFree, diskFreeLimit, fdUsed, fdTotal } = value;
  const usage = { memUsed, memLimit, diskFree, diskFreeLimit, fdUsed, fdTotal };
  return Object.values(usage).every(isCount) ? (usage as unknown as NodeUsage) : null;
}

type Seven = [number, number, number, number, number, number, number];

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function addressIn(value: unknown): NodeAddress | null {
  if (!isObject(value)) return null;
  const { host, port } = value;
  return typeof host === 'string' && isCount(port) ? { host, port } : null;
}
