// Looks at a broker from outside: the memory of its process, the size of its files, and how much of
// the store's file is in use.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

const MIB = 2 ** 20;
const SAMPLE_MS = 100;

/**
 * Memory of a process in MiB. `own` leaves out pages of mapped files, which the kernel takes back
 * whenever it wants to.
 */
export function memoryOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
    return { rss: Math.round(kib('VmRSS') / 1024), own: Math.round(kib('RssAnon') / 1024) };
  } catch {
    return { rss: 0, own: 0 };
  }
}

/** Notes the most memory that a process takes between two calls of `take`. */
export class MemoryWatch {
  constructor(pidNow) {
    this.pidNow = pidNow;
    this.peak = { rss: 0, own: 0 };
    this.timer = setInterval(() => this.look(), SAMPLE_MS);
    this.timer.unref();
  }

  look() {
    const now = memoryOf(this.pidNow());
    this.peak.rss = Math.max(this.peak.rss, now.rss);
    this.peak.own = Math.max(this.peak.own, now.own);
    return now;
  }

  take() {
    const now = this.look();
    const { peak } = this;
    this.peak = { rss: 0, own: 0 };
    return { rss: now.rss, own: now.own, peakRss: peak.rss, peakOwn: peak.own };
  }

  stop() {
    clearInterval(this.timer);
  }
}

/** The bytes of all files in a folder and the folders in it. */
export function folderBytes(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += folderBytes(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}

function pagesOf(tree) {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}

/** The bytes of the store's file that hold something; the rest is written over before it grows. */
export async function bytesInUse(storeFolder) {
  const db = open({ path: storeFolder, noSubdir: false, readOnly: true, encoding: 'binary' });
  try {
    const stats = db.getStats();
    return (pagesOf(stats) + pagesOf(stats.free) + 2) * stats.pageSize;
  } finally {
    await db.close();
  }
}

export const mib = (bytes) => Math.round(bytes / MIB);
