// Owns finding out that LMDB could not open its files before it tries: lmdb 3.5.6 ends the process
// with a signal instead of an error. Never looks further than the head of the data.

import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/*
 * Both meta pages, the first at 0 and the second one page further, in the byte order of the machine
 * (little-endian on all that lmdb is built for):
 *
 *   0        24       28         48          136             144
 *   | head . | magic  | version  | page size | root's page   | last page ...
 *   |  24 B  | u32    | u16, u16 | u32       | u64           | u64
 */
const MAGIC_AT = 24;
const VERSION_AT = 28;
const PAGE_SIZE_AT = 48;
const ROOT_AT = 136;
const LAST_PAGE_AT = 144;
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

/** The files are not what they should be. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
}

/** Throws an Error that says what is wrong when LMDB could not open the files of a folder. */
export async function checkFiles(folder: string, mapBytes: number): Promise<void> {
  await checkAddressSpace(mapBytes);
  await withFile(join(folder, 'lock.mdb'), async () => undefined);
  await withFile(join(folder, 'data.mdb'), async (file) => {
    const { size } = await file.stat();
    if (size === 0) return; // was made, but nothing was written: as good as new
    const first = await checkMeta(file, 0, size);
    const second = await checkMeta(file, first.pageBytes, size);
    const end = Math.max(first.end, second.end);
    if (end > mapBytes)
      throw new DamagedFileError('data.mdb is damaged: its head names pages that cannot be');
    // To read behind the end of a file that was cut short would end the process by a signal. Zeros do
    // not: they are no page of LMDB's, and match no checksum.
    if (size < end) await file.truncate(end);
  });
}

/** Opens a file as LMDB will, unless it is not there. */
async function withFile(path: string, check: (file: FileHandle) => Promise<void>): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    // A pipe or a device opens well, and mapping it ends the process by a signal.
    if (!(await file.stat()).isFile())
      throw new DamagedFileError(`${basename(path)} is not a regular file`);
    await check(file);
  } finally {
    await file.close();
  }
}

/** Checks one meta page; returns the page size it names, and where the last page ends. */
async function checkMeta(
  file: FileHandle,
  at: number,
  fileBytes: number,
): Promise<{ pageBytes: number; end: number }> {
  const meta = Buffer.alloc(META_BYTES);
  const { bytesRead } = await file.read(meta, 0, META_BYTES, at);
  if (bytesRead < META_BYTES) throw new DamagedFileError('data.mdb is cut short');
  const pageBytes = meta.readUInt32LE(PAGE_SIZE_AT);
  const isMeta = meta.readUInt32LE(MAGIC_AT) === MAGIC && pageBytes >= 512 && pageBytes <= 65_536;
  if (!isMeta) throw new DamagedFileError('data.mdb is damaged, or not a file of LMDB');
  if (meta.readUInt16LE(VERSION_AT) !== VERSION) {
    throw new DamagedFileError('data.mdb is of another version of LMDB');
  }
  const root = meta.readBigUInt64LE(ROOT_AT);
  if (root !== NO_ROOT && (root + 1n) * BigInt(pageBytes) > BigInt(fileBytes)) {
    throw new DamagedFileError('data.mdb is cut short');
  }
  const lastPage = Number(meta.readBigUInt64LE(LAST_PAGE_AT));
  return { pageBytes, end: (lastPage + 1) * pageBytes };
}

/** Refuses a limit, as of `ulimit -v`, that leaves no room for the map. */
async function checkAddressSpace(mapBytes: number): Promise<void> {
  if (process.platform !== 'linux') return;
  const limits = await readFile('/proc/self/limits', 'latin1');
  const limit = Number(/^Max address space +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  if (limit > mapBytes) return;
  const what = `the process may only use ${limit} bytes of address space, less than the ${mapBytes} that the store maps`;
  throw Object.assign(new Error(what), { code: 'ENOMEM' });
}
