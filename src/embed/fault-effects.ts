// Owns what faults do to a channel, a connection or the broker. Never decides when: faults.ts does.

import { BASIC_PUBLISH } from '../amqp/constants.ts';
import { Chunk } from '../message/chunk.ts';
import { PAUSED_BY_FAULT } from '../server/backpressure/read-gate.ts';
import type { Channel } from '../server/channel/channel.ts';
import type { MethodConnection } from '../server/methods/method-connection.ts';
import type { Server } from '../server/server.ts';
import { RUNNING } from '../server/states.ts';
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
 * Reads no more from a connection until the timer that is returned fires; then publishes what was read last, and goes
 * on.
 */
export function holdInput(
  connection: MethodConnection,
  number: number,
  publish: () => void,
): WheelTimer {
  connection.gate.pause(PAUSED_BY_FAULT);
  return new WheelTimer(() => {
    try {
      if (connection.state === RUNNING && connection.channels.at(number) !== null) publish();
    } catch (error) {
      connection.failed(error, number, BASIC_PUBLISH);
    }
    connection.readOn(PAUSED_BY_FAULT);
  });
}

/** An alarm that is on whatever the machine has, until it ends. */
export class Block {
  private readonly server: Server;

  constructor(server: Server) {
    this.server = server;
    this.force(true);
  }

  end(): void {
    this.force(false);
  }

  private force(on: boolean): void {
    this.server.broker.alarms.memory.forced = on;
    for (const { guard } of this.server.openConnections) guard.alarmsChanged();
  }
}
