// Owns making the names within a folder durable. Never syncs what the files hold.

import { open } from 'node:fs/promises';

/** Syncs a folder, so that a file or folder just made in it is still there after a power failure. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // knows no sync of a folder
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
