// Owns the parts of a large body as they come, joined so that they hold about as much memory as they have
// bytes, however small they are cut. Never knows where a body ends.

/** A part of at least so many bytes may stay in the chunk it was read in. */
const VIEW_BYTES_MIN = 4096;
/**
 * It has to be at least this part of the chunk, which it keeps in memory as a whole. The first and the last
 * part of a body may be less of theirs: that is two chunks at most, and a stream of bodies has such parts at
 * each of its ends.
 */
const VIEW_PART = 2;
/** Smaller ones are copied into blocks; the first is small, and none is larger than what came so far. */
const BLOCK_BYTES_MIN = 4096;
const BLOCK_BYTES_MAX = 64 * 1024;
/** What a buffer takes beside its bytes, about. */
const BUFFER_BYTES = 256;

const NOTHING = Buffer.alloc(0);

/** The body so far. */
export class BodyParts {
  /** The parts in order; complete after `end`. */
  readonly list: Buffer[] = [];
  private bytesLeft: number;
  private received = 0;
  /** The chunk that the last part stayed in. */
  private viewed: Buffer | null = null;
  private block = NOTHING;
  /** Where the bytes of the block begin that are not in the list yet, and where they end. */
  private from = 0;
  private used = 0;

  /** `bodyBytes` is how long the body will be. */
  constructor(bodyBytes: number) {
    this.bytesLeft = bodyBytes;
  }

  /**
   * Adds a part, no longer than what is to come, in a buffer that is not changed any more. Returns how
   * many more bytes of memory are held with it.
   */
  add(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    let held = 0;
    // To ask a buffer for the memory below it takes as long as to make a view: it is done once for each chunk.
    const memory = bytes === this.viewed ? 0 : bytes.buffer.byteLength;
    if (memory === 0 || this.mayStay(memory, length)) {
      if (this.used > this.from) this.endBlock();
      this.list.push(bytes.subarray(start, end));
      held = BUFFER_BYTES + memory;
      this.viewed = bytes;
    } else {
      held = this.copy(bytes, start, end);
    }
    this.received += length;
    this.bytesLeft -= length;
    return held;
  }

  /** Nothing more comes; returns all parts. */
  end(): Buffer[] {
    this.endBlock();
    return this.list;
  }

  /** Whether a part stays where it was read, which keeps all of the memory of that chunk. */
  private mayStay(memory: number, length: number): boolean {
    if (length < VIEW_BYTES_MIN) return false;
    const atAnEnd = this.received === 0 || length === this.bytesLeft;
    return atAnEnd || length * VIEW_PART >= memory;
  }

  private copy(bytes: Buffer, start: number, end: number): number {
    let held = 0;
    let at = start;
    while (at < end) {
      if (this.used === this.block.length) {
        this.endBlock();
        // What the body still lacks is at least what is being copied, so no block is larger than its use.
        const missing = this.bytesLeft - (at - start);
        const wanted = Math.max(this.received, end - at, BLOCK_BYTES_MIN);
        this.block = Buffer.allocUnsafeSlow(Math.min(wanted, missing, BLOCK_BYTES_MAX));
        this.from = 0;
        this.used = 0;
        held += this.block.length + BUFFER_BYTES;
      }
      const some = Math.min(end - at, this.block.length - this.used);
      bytes.copy(this.block, this.used, at, at + some);
      this.used += some;
      at += some;
    }
    return held;
  }

  /** Lists what the block has; what it has room for is used by the parts to come. */
  private endBlock(): void {
    if (this.used > this.from) this.list.push(this.block.subarray(this.from, this.used));
    this.from = this.used;
  }
}
