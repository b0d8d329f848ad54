// Owns buffers of one size that are used again and again. Never looks at what is in them.

/** So many are kept for reuse: fresh memory costs a page fault every 4 KiB. */
const BUFFERS_MAX = 128;

/** Buffers of so many bytes each, with whatever was in them before. */
export class BufferPool {
  readonly bytes: number;
  private readonly buffers: Buffer[] = [];

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  take(): Buffer {
    return this.buffers.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  /** Takes a buffer that nothing reads any more; one of another size is let go. */
  give(buffer: Buffer): void {
    if (buffer.length === this.bytes && this.buffers.length < BUFFERS_MAX)
      this.buffers.push(buffer);
  }
}
