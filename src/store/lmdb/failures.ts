// Owns what LMDB's failures mean: why a store cannot be opened, why a commit failed. Never retries anything.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemCode, wayOutOf } from '../../util/system/system-error.ts';
import { causeText, StoreError } from '../errors.ts';
import { DamagedFileError } from './check-files.ts';

/** The error for a store that cannot be opened because of `cause`. */
export function cannotOpen(folder: string, cause: unknown): StoreError {
  const what = `cannot open the store in ${folder}: ${causeText(cause)}`;
  const code = systemCode(cause);
  const damaged = cause instanceof DamagedFileError || IN_PLACE.has(code);
  const restore = `restore the folder from a backup ('leveret restore')`;
  if (damaged) return new StoreError(what, restore, { cause, damaged });
  return new StoreError(what, wayOutOf(cause) ?? `fix this, or ${restore}`, { cause });
}

/** Codes that say that one of the files cannot be read, or that something else is in its place. */
const IN_PLACE: ReadonlySet<string> = new Set(['EIO', 'EISDIR', 'ELOOP', 'ENXIO']);

/** A rejected commit only says that it failed; the reason is a promise of its own, if it comes. */
export async function commitReason(cause: unknown): Promise<unknown> {
  if (!(cause instanceof Error && 'commitError' in cause)) return cause;
  const reason = Promise.resolve(cause.commitError).catch((error: unknown) => error);
  return (await Promise.race([reason, nextTurn(null)])) ?? cause;
}
