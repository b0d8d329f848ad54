// Owns looking at LMDB's trees page by page, without LMDB: that each page is the one its parent means, and
// that there are as many as the head of the file says. Never looks into keys and values.

import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

/*
 * What is read here of lmdb 3.5.6's layout; all integers are little-endian:
 *
 *   page   0  u64 its own number | u64 transaction | u16 | u16 flags | u16 lower, u16 upper | ...
 *          24 u16 for each node: where it lies, counted from 24; there are lower / 2 of them
 *             an overflow page has in place of lower and upper: u32 how many pages it spans
 *   node   0  u16, u16 | u16 flags | u16 length of the key | key | data
 *             in a branch, the first three are the number of the child
 *             with NODE_BIG the data is  u64 overflow page | u64 its transaction | u64 pages
 *   meta   24 + 24 for the tree of free pages, 24 + 72 for that of all tables:
 *             u32, u16, u16 depth | u64 branches | u64 leaves | u64 overflow pages | u64 entries | u64 root
 *          152 u64 transaction
 */
const HEAD_BYTES = 24;
const FLAG_BRANCH = 1;
const FLAG_LEAF = 2;
const FLAG_OVERFLOW = 4;
const NODE_BIG = 1;
const TREES_AT = [48, 96];
const TREE_ROOT = 40;
const TXN_AT = 152;
const META_BYTES = 160;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** More than a tree of 2^48 pages is deep. */
const DEPTH_MAX = 32;

/** Pages that are not what they should be, as lines for people; empty when all is well. */
export async function checkTrees(folder: string): Promise<string[]> {
  const file = await open(join(folder, 'data.mdb'), 'r');
  try {
    return await new Walk(file).run();
  } finally {
    await file.close();
  }
}

class Walk {
  private readonly file: FileHandle;
  private pageBytes = 4096;
  private lastPage = 0;
  private readonly wrong: string[] = [];
  private found = { branches: 0, leaves: 0, overflow: 0 };

  constructor(file: FileHandle) {
    this.file = file;
  }

  async run(): Promise<string[]> {
    const meta = await this.newestMeta();
    this.lastPage = Number(meta.readBigUInt64LE(144));
    for (const at of TREES_AT) {
      const root = meta.readBigUInt64LE(at + TREE_ROOT);
      if (root === NO_ROOT) continue;
      this.found = { branches: 0, leaves: 0, overflow: 0 };
      const before = this.wrong.length;
      await this.visit(Number(root), meta.readUInt16LE(at + 6));
      const { branches, leaves, overflow } = this.found;
      const counts = [branches, leaves, overflow].map(BigInt);
      const wanted = [8, 16, 24].map((offset) => meta.readBigUInt64LE(at + offset));
      if (this.wrong.length === before && String(counts) !== String(wanted)) {
        this.wrong.push(`a tree has ${counts} pages (branches, leaves, values), not ${wanted}`);
      }
    }
    return this.wrong;
  }

  private async newestMeta(): Promise<Buffer> {
    const first = await this.read(0, META_BYTES);
    this.pageBytes = first.readUInt32LE(48);
    const second = await this.read(this.pageBytes, META_BYTES);
    return first.readBigUInt64LE(TXN_AT) >= second.readBigUInt64LE(TXN_AT) ? first : second;
  }

  /** Visits a page and all below it; `depth` levels are left with this one. */
  private async visit(number: number, depth: number): Promise<void> {
    const page = await this.page(number);
    if (page === null || depth > DEPTH_MAX) return;
    const flags = page.readUInt16LE(18);
    const wanted = depth > 1 ? FLAG_BRANCH : FLAG_LEAF;
    if ((flags & 7) !== wanted) {
      this.wrong.push(`page ${number} is no ${depth > 1 ? 'branch' : 'leaf'} of a tree`);
      return;
    }
    if (depth > 1) this.found.branches += 1;
    else this.found.leaves += 1;
    for (const node of this.nodesOf(page, number)) {
      const [low, high, third] = [0, 2, 4].map((at) => page.readUInt16LE(node + at)) as [
        number,
        number,
        number,
      ];
      if (depth > 1) {
        await this.visit(low + high * 2 ** 16 + third * 2 ** 32, depth - 1);
      } else if ((third & NODE_BIG) !== 0) {
        await this.overflow(page, node + 8 + page.readUInt16LE(node + 6), number);
      }
    }
  }

  /** Where the nodes of a page lie in it. */
  private nodesOf(page: Buffer, number: number): number[] {
    const count = page.readUInt16LE(20) >> 1;
    const nodes: number[] = [];
    for (let n = 0; n < count; n++) {
      const at = HEAD_BYTES + n * 2;
      const node = at + 2 <= page.length ? HEAD_BYTES + page.readUInt16LE(at) : page.length;
      if (node + 8 > page.length) {
        this.wrong.push(`page ${number} has an entry that lies outside`);
        return [];
      }
      nodes.push(node);
    }
    return nodes;
  }

  /** Looks at the head of a value that has pages of its own. */
  private async overflow(leaf: Buffer, at: number, number: number): Promise<void> {
    if (at + 24 > leaf.length) {
      this.wrong.push(`page ${number} has an entry that lies outside`);
      return;
    }
    const [first, transaction, pages] = [0, 8, 16].map((each) => leaf.readBigUInt64LE(at + each));
    const page = await this.page(Number(first), HEAD_BYTES);
    if (page === null) return;
    this.found.overflow += Number(pages);
    const same = page.readBigUInt64LE(8) === transaction && page.readUInt32LE(20) === Number(pages);
    if ((page.readUInt16LE(18) & FLAG_OVERFLOW) !== 0 && same) return;
    this.wrong.push(`page ${first} is not the value that page ${number} means`);
  }

  /** A page, or the first bytes of it; null, and noted, when it is another one. */
  private async page(number: number, bytes = this.pageBytes): Promise<Buffer | null> {
    if (number > this.lastPage) {
      this.wrong.push(`page ${number} lies behind the last one`);
      return null;
    }
    const page = await this.read(number * this.pageBytes, bytes);
    const name = page.readBigUInt64LE(0);
    if (name === BigInt(number)) return page;
    this.wrong.push(`page ${number} holds what belongs to page ${name}`);
    return null;
  }

  private async read(at: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.alloc(bytes);
    await this.file.read(buffer, 0, bytes, at);
    return buffer;
  }
}
