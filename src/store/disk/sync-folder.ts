// Owns making names within a folder, and what its files hold, durable. Never writes anything.

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

/** Syncs what a file holds. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
