// Owns telling other groups the directory of the group main, once it is durable. Never changes it.

import { directoryOf } from '../../../broker/directory/directory.ts';
import {
  type DirectoryVersion,
  readVersionOf,
  standing,
} from '../../../broker/directory/version.ts';
import { UnansweredError } from '../../../store/replicated/log-client.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import type { GroupAround } from './group-around.ts';

/** A group that has the newest is answered after so long, ms, unless something changes before. */
const HOLD_MS = 10_000;
/** How often it is looked for a change meanwhile, ms. */
const LOOK_MS = 100;

/** The version of the directory that the leader of the group main has now. */
function offeredVersion({ broker, logId, epoch }: GroupAround): DirectoryVersion {
  return { log: logId, epoch, count: broker.changes.told };
}

/**
 * The directory as JSON, once it is another one than the asking group has, and durable; null: it is the same still. Rejects
 * where this node may lead no longer.
 */
export async function offerDirectory(
  around: GroupAround,
  given: URLSearchParams,
): Promise<string | null> {
  const { broker, timing } = around;
  const has = readVersionOf({
    log: given.get('log'),
    epoch: Number(given.get('epoch')),
    count: Number(given.get('count')),
  });
  const isNews = (): boolean => standing(offeredVersion(around), has) !== 'same';
  for (let ms = 0; !isNews(); ms += LOOK_MS) {
    if (ms >= HOLD_MS) return null;
    await timing.pause(LOOK_MS);
  }
  const version = offeredVersion(around);
  const text = jsonText({ version, directory: directoryOf(broker) });
  await around.durable();
  if (!around.sure) throw new UnansweredError('another node may lead the group main');
  return text;
}
