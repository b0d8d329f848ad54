// Owns making, opening and reading the file of the log. Never knows what its records say.

import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../disk/sync-folder.ts';
import { StoreError } from '../../errors.ts';
import { BLOCK_BYTES, headerBlock, type RingHeader, readHeader } from './format.ts';

/** How the file is called, in the folder of the tables: what brings those back or puts them aside takes it along. */
export const LOG_FILE = 'batches.log';

/** What a new file is filled with at a time. */
const FILL_BYTES = 2 ** 20;
/** No log of a broker is longer. */
const FILE_BYTES_MAX = 2 ** 30;

/** A log's file as it was found. */
export interface FoundFile {
  readonly bytes: Buffer;
  /** Null: it does not begin as a log does. */
  readonly header: RingHeader | null;
}

/** Reads the whole file in a folder; null: there is none. Rejects with the system's error, or a StoreError. */
export async function readLogFile(folder: string): Promise<FoundFile | null> {
  const path = join(folder, LOG_FILE);
  if (!(await isThere(path))) return null;
  const file = await open(path, 'r');
  try {
    const bytes = await file.readFile();
    return { bytes, header: readHeader(bytes.subarray(0, BLOCK_BYTES)) };
  } finally {
    await file.close();
  }
}

/**
 * Makes the file one whose records carry this salt; what is in it is void then, durably. One of another size is made anew,
 * filled with zeros: a write into room that was never written would have to note that in the file system's journal.
 */
export async function renewLogFile(folder: string, header: RingHeader): Promise<void> {
  const path = join(folder, LOG_FILE);
  await isThere(path);
  const file = await openToWrite(path);
  try {
    if ((await file.stat()).size !== header.fileBytes) await fill(file, header.fileBytes);
    await file.write(headerBlock(header), 0, BLOCK_BYTES, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(folder);
}

/** Whether the file is there. What is no file would never end to be read, and what is far too long would take all memory. */
async function isThere(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw cause;
  });
  if (found === null) return false;
  if (found.isFile() && found.size <= FILE_BYTES_MAX) return true;
  const what = found.isFile() ? `has ${found.size} bytes, and` : 'is no file, and';
  throw new StoreError(`${path} ${what} cannot be the log of a broker`, 'move it out of the way', {
    damaged: true,
  });
}

function openToWrite(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

async function fill(file: FileHandle, bytes: number): Promise<void> {
  await file.truncate(0);
  const zeros = Buffer.alloc(FILL_BYTES);
  try {
    for (let at = 0; at < bytes; ) {
      const { bytesWritten } = await file.write(zeros, 0, Math.min(FILL_BYTES, bytes - at), at);
      at += bytesWritten;
    }
  } catch (error) {
    // Where a disk is full, half of a log would only make it fuller.
    await file.truncate(0);
    throw error;
  }
}
