// Owns what faults do to a channel, a connection or the broker. Never decides when: faults.ts does.

import { BASIC_PUBLISH } from '../amqp/constants.ts';
import { Chunk } from '../message/chunk.ts';
import type { Channel } from '../server/channel.ts';
import type { Connection } from '../server/connection.ts';
import { RUNNING } from '../server/connection-state.ts';
import { HELD_BY_FAULT } from '../server/input-gate.ts';
import type { Server } from '../server/server.ts';
import { WheelTimer } from '../util/timers.ts';

/** Treats a publish as one that a full queue refuses. */
export function refuse(channel: Channel): void {
  if (channel.confirms === null) return;
  channel.confirms.addRefused();
  channel.confirmsChanged();
}

/** A record as a chunk of its own, which stays as it is while more is read. */
export function copyOf(chunk: Chunk, start: number, end: number): Chunk {
  const copy = new Chunk();
  const bytes = chunk.single ? chunk.bytes : Buffer.from(chunk.bytes.subarray(start, end));
  copy.loadRecord(bytes, chunk.parts);
  return copy;
}

/**
 * Reads no more from a connection for a while; then publishes what was read last, and goes on. What is returned
 * reads on at once and publishes nothing: to be called when the broker is closed, which waits for its peers.
 */
export function holdInput(
  server: Server,
  connection: Connection,
  number: number,
  delayMs: number,
  publish: () => void,
): () => void {
  const timer = new WheelTimer(() => {
    try {
      if (connection.state === RUNNING && connection.channels.at(number) !== null) publish();
    } catch (error) {
      connection.failed(error, number, BASIC_PUBLISH);
    }
    connection.readOn(HELD_BY_FAULT);
  });
  connection.gate.hold(HELD_BY_FAULT);
  server.wheel.schedule(timer, delayMs);
  return () => {
    if (!timer.armed) return;
    server.wheel.cancel(timer);
    connection.readOn(HELD_BY_FAULT);
  };
}

/** An alarm that is on whatever the machine has, until it ends. */
export class Block {
  private readonly server: Server;
  private real: boolean;

  constructor(server: Server) {
    const { memory } = server.broker.alarms;
    this.server = server;
    this.real = memory.alarm;
    Object.defineProperty(memory, 'alarm', {
      configurable: true,
      enumerable: true,
      get: () => true,
      set: (alarm: boolean) => {
        this.real = alarm;
      },
    });
    this.tell();
  }

  end(): void {
    const { memory } = this.server.broker.alarms;
    const plain = { configurable: true, enumerable: true, writable: true, value: this.real };
    Object.defineProperty(memory, 'alarm', plain);
    this.tell();
  }

  private tell(): void {
    for (const { guard } of this.server.openConnections) guard.alarmsChanged();
  }
}
