// Owns holding back connections that publish stored messages faster than the disk writes them. Never looks at
// memory: what waits for the disk is bounded here, so that it is no cause of an alarm.

import { RUNNING } from '../states.ts';
import { PAUSED_BY_STORE, type ReadGate } from './read-gate.ts';

/** How much waits for the disk: gathered, or handed to the store and not durable. */
export interface StoreTraffic {
  readonly log: { readonly unsealedBytes: number };
  readonly sealedBytes: number;
  readonly durableBytes: number;
}

/** What is held back. */
export interface BrakedConnection {
  readonly gate: ReadGate;
  readonly state: number;
  /** Reads on, unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** They read on once this part of what may wait is left. */
const LOW = 0.5;

/** Bounds what waits for the disk. */
export class StoreBackpressure {
  private readonly traffic: StoreTraffic;
  private readonly bytesMax: number;
  private unsealedBefore = 0;
  private held: BrakedConnection[] = [];

  constructor(traffic: StoreTraffic, bytesMax: number) {
    this.traffic = traffic;
    this.bytesMax = bytesMax;
  }

  /** Told after each chunk of input which connection it came from. */
  chunkRead(connection: BrakedConnection): void {
    const { unsealedBytes } = this.traffic.log;
    const published = unsealedBytes > this.unsealedBefore;
    this.unsealedBefore = unsealedBytes;
    if (!published || this.waitingBytes < this.bytesMax || connection.state !== RUNNING) return;
    connection.gate.pause(PAUSED_BY_STORE);
    this.held.push(connection);
  }

  /** Told when a batch has become durable. */
  durable(): void {
    if (this.held.length === 0 || this.waitingBytes > this.bytesMax * LOW) return;
    const { held } = this;
    this.held = [];
    for (const connection of held) connection.readOn(PAUSED_BY_STORE);
  }

  private get waitingBytes(): number {
    const { log, sealedBytes, durableBytes } = this.traffic;
    return log.unsealedBytes + sealedBytes - durableBytes;
  }
}
