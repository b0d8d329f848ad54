// Owns the acts that go on once a batch is durable. Never asks for a batch.

/** What waits for batches, in the order of these. */
export class DurableWaits {
  private readonly waiting: { readonly batch: number; readonly resolve: () => void }[] = [];

  /** Resolves once all batches up to `batch` are durable. */
  until(batch: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ batch, resolve }));
  }

  /** Told that all up to `batch` are. */
  resolve(batch: number): void {
    while (this.waiting[0] !== undefined && this.waiting[0].batch <= batch) {
      this.waiting.shift()?.resolve();
    }
  }
}
