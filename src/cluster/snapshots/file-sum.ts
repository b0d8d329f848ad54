// Owns the sum of a file, by which a copy that is not what was written is found. Never decides what becomes of it.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Read at a time: a turn is not held up for longer than it takes to sum this. */
const PIECE_BYTES = 512 * 1024;

/** How long a file is, and the SHA-256 of what it holds, in hex digits. Rejects with the system's error. */
export async function sumFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(piece.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
