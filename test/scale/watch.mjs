// Looks at a broker from outside: the memory of its process, the size of its files, and how much of
// the store's file is in use.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

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

/*
 * A meta page, as lmdb 3.5.6 writes it: two of them stand at the start of the file, and the newer one counts.
 *
 *   48 free tree, 96 main tree: | u32 page size | .. | 8: u64 branch | 16: u64 leaf | 24: u64 overflow pages | ...
 *   152: u64 number of the commit
 */
const META_BYTES = 160;
const [FREE_TREE_AT, MAIN_TREE_AT, COMMIT_AT] = [48, 96, 152];

/**
 * The bytes of the store's file that hold something; the rest is written over before it grows. Reads the file and no more: to
 * open it with LMDB would meddle with a broker that has it open.
 */
export function bytesInUse(storeFolder) {
  const file = openSync(join(storeFolder, 'data.mdb'), 'r');
  try {
    const metaAt = (at) => {
      const meta = Buffer.alloc(META_BYTES);
      readSync(file, meta, 0, META_BYTES, at);
      return meta;
    };
    const first = metaAt(0);
    const pageBytes = first.readUInt32LE(FREE_TREE_AT);
    const second = metaAt(pageBytes);
    const [one, other] = [first, second].map((meta) => meta.readBigUInt64LE(COMMIT_AT));
    const meta = one > other ? first : second;
    return (pagesOf(meta, FREE_TREE_AT) + pagesOf(meta, MAIN_TREE_AT) + 2) * pageBytes;
  } finally {
    closeSync(file);
  }
}

function pagesOf(meta, treeAt) {
  const counts = [8, 16, 24].map((at) => meta.readBigUInt64LE(treeAt + at));
  return Number(counts.reduce((sum, count) => sum + count));
}

export const mib = (bytes) => Math.round(bytes / MIB);
