// Owns the second store, for what memory is too small for and no restart needs: opened when first
// wanted, emptied with every start. Never knows what it holds.

import type { Store } from './port.ts';

/** Opens an empty store; what it holds need not outlive the process. */
export type OpenScratch = () => Promise<Store>;

/**
 * A store that is opened when it is first wanted. It has batches of its own; each is written as soon as
 * the one before it is.
 */
export class Scratch {
  /** The store, or null while it is not open. */
  store: Store | null = null;
  /** Called with each batch that can be read from now on. */
  private readonly readableListeners: ((batch: number) => void)[] = [];
  private readonly open: OpenScratch;
  private opening: Promise<void> | null = null;
  private closed = false;
  private failureListener: (error: Error) => void = () => {};

  constructor(open: OpenScratch) {
    this.open = open;
  }

  /** Begins to open it, unless that is done. */
  want(): void {
    this.opening ??= this.openNow();
  }

  /** Sees to it that what was put and removed is written soon. */
  commit(): void {
    const { store } = this;
    if (store !== null && !this.closed && store.dirty && !store.busy) store.seal();
  }

  /** Adds a listener that is told which of its batches can be read. */
  onReadable(listener: (batch: number) => void): void {
    this.readableListeners.push(listener);
  }

  /** Sets the one listener told that it cannot be opened or written: messages are lost then. */
  onFailure(listener: (error: Error) => void): void {
    this.failureListener = listener;
  }

  /** Takes a store that is open. */
  use(store: Store): void {
    store.onReadable((batch) => this.readable(batch));
    store.onFailure((error) => this.failureListener(error));
    this.store = store;
  }

  /** Waits until it is closed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.opening;
    await this.store?.close();
  }

  private async openNow(): Promise<void> {
    try {
      this.use(await this.open());
    } catch (error) {
      this.failureListener(error as Error);
    }
  }

  private readable(batch: number): void {
    for (const listener of this.readableListeners) listener(batch);
    this.commit();
  }
}
