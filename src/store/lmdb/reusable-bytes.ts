// Owns how much of an LMDB file holds nothing any more. Never changes anything.

import type { RootDatabase } from 'lmdb';

/** What LMDB says of one tree. */
interface TreeStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** What `getStats` gives for a root database; the package does not declare it. */
interface Stats extends TreeStats {
  readonly free: TreeStats;
  readonly lastPageNumber: number;
}

/** Both pages at the start of the file that name the newest commit. */
const META_PAGES = 2;

/**
 * The pages of the file that no tree uses. LMDB never makes its file shorter: what was removed is
 * written over before the file grows.
 */
export function reusableBytes(db: RootDatabase<Buffer, Buffer>): number {
  const stats = (db as unknown as { getStats(): Stats }).getStats();
  const used = pagesOf(stats) + pagesOf(stats.free) + META_PAGES;
  return Math.max(0, stats.lastPageNumber + 1 - used) * stats.pageSize;
}

function pagesOf(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}
