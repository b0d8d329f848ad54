// Owns what has to be true of the servers before a log is kept on them. Never changes anything there.

import { parseAnswer } from '../../../util/json/json-input.ts';
import { causeText, StoreError } from '../../errors.ts';
import { type Fields, fieldsOf, textOf } from './answers.ts';
import type { NatsFindings } from './client.ts';
import type { NatsPlace } from './place.ts';

/** Older ones lose streams when their process is killed. */
const VERSION_MIN = [2, 10, 23];
/** Older ones lose records when servers are taken out of a cluster. */
const VERSION_GOOD = [2, 12, 3];

const MONITOR_MS = 3000;
const MONITOR_BYTES_MAX = 2 ** 20;

const HOW_TO_SYNC = "set 'sync_interval: always' in the jetstream block of its configuration";

/** Refuses a server that is too old; returns a warning for one that is not new enough, else null. Throws a StoreError. */
export function checkVersion(server: string, version: string): string | null {
  const way = `install nats-server ${VERSION_GOOD.join('.')} or later`;
  if (isBelow(version, VERSION_MIN)) {
    const what = `the server ${server} of the log is nats-server ${version}, which loses what it has acknowledged`;
    throw new StoreError(what, way);
  }
  if (!isBelow(version, VERSION_GOOD)) return null;
  return `the server ${server} of the log is nats-server ${version}, which may lose records when servers are removed: ${way}`;
}

/** Asks the monitoring ports whether each server syncs, and for its version. Rejects with a StoreError. */
export async function checkMonitors(place: NatsPlace): Promise<NatsFindings> {
  const { monitor, requireSync } = place;
  if (monitor.length === 0) {
    const warning =
      'whether the servers of the log sync their disks cannot be asked: name their monitoring ports in cluster.nats.monitor';
    return { syncs: null, warnings: [warning] };
  }
  const warnings: string[] = [];
  let unknown = false;
  let unsynced = false;
  for (const answer of await Promise.all(monitor.map(askMonitor))) {
    if (typeof answer === 'string') {
      unknown = true;
      warnings.push(answer);
      continue;
    }
    const { server, version, syncs } = answer;
    const old = checkVersion(server, version);
    if (old !== null) warnings.push(old);
    if (syncs) continue;
    unsynced = true;
    const what = `the server ${server} of the log does not sync its disk before it acknowledges: a loss of power loses confirmed messages`;
    const way = `${HOW_TO_SYNC}, or set cluster.require_sync = false`;
    if (requireSync) throw new StoreError(what, way);
    warnings.push(`${what}: ${HOW_TO_SYNC}`);
  }
  return { syncs: unsynced ? false : unknown ? null : true, warnings };
}

/** What one server says of itself; a text: why it says nothing. */
async function askMonitor(
  host: string,
): Promise<{ server: string; version: string; syncs: boolean } | string> {
  try {
    const [about, jetStream] = await Promise.all([get(host, 'varz'), get(host, 'jsz')]);
    const server = textOf(about['server_name']);
    const syncs = fieldsOf(jetStream['config'])['sync_always'] === true;
    return { server: server === '' ? host : server, version: textOf(about['version']), syncs };
  } catch (cause) {
    return `the monitoring port ${host} of NATS does not answer: ${causeText(cause)}`;
  }
}

async function get(host: string, what: string): Promise<Fields> {
  const response = await fetch(`http://${host}/${what}`, {
    signal: AbortSignal.timeout(MONITOR_MS),
    redirect: 'error',
  });
  if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body) {
    length += part.length;
    if (length > MONITOR_BYTES_MAX) throw new Error('it answers at too great a length');
    parts.push(part);
  }
  const decoder = new TextDecoder();
  const text = parts.map((part) => decoder.decode(part, { stream: true })).join('');
  return fieldsOf(parseAnswer(text));
}

/** Whether a version is before another one. What is no version is before none: a build of one's own may be called anything. */
function isBelow(version: string, other: readonly number[]): boolean {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) return false;
  for (const [i, number] of numbers.entries()) {
    const there = other[i] as number;
    if (number !== there) return number < there;
  }
  return false;
}
