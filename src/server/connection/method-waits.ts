// Owns the methods of one connection that wait: for the disk, for a login, for the end of an alarm. Never decides
// which of them have to.

import { PAUSED_FOR_DISK, PAUSED_FOR_LOGIN, type ReadGate } from '../backpressure/read-gate.ts';
import { CLOSED, CLOSING } from '../states.ts';

/** What waiting needs of the connection. */
export interface WaitingConnection {
  readonly state: number;
  readonly gate: ReadGate;
  readonly guard: { postpone(publish: () => void): boolean };
  readonly server: {
    readonly turn: { holdUntil(batch: number, resume: () => void): void };
    readonly peerGuard: {
      promise(what: string, promise: Promise<unknown>, onError: () => void): void;
    };
  };
  /** Goes on with a method that waited, unless its channel was closed in the meantime. */
  goOn(number: number, key: number, act: () => void): void;
  /** Runs a part of method `key` of a channel; what it throws goes to `failed`. */
  attempt(number: number, key: number, act: () => void): void;
  failed(error: unknown, number: number, key: number): void;
  /** Reads on unless there are more reasons not to than this one. */
  readOn(reason: number): void;
  /** Cuts the socket. */
  abort(text: string): void;
}

/** What makes the methods of one connection wait. */
export class MethodWaits {
  private readonly connection: WaitingConnection;

  constructor(connection: WaitingConnection) {
    this.connection = connection;
  }

  /**
   * Stops reading until `batch` is durable, then runs `resume` and reads on: how the answer to a
   * durable declaration comes after the disk has it, and before the answer to anything later.
   * `key` is the method of channel `number` that waits; `resume` may wait again.
   */
  forDisk(batch: number, number: number, key: number, resume: () => void): void {
    const { connection } = this;
    connection.gate.pause(PAUSED_FOR_DISK);
    connection.server.turn.holdUntil(batch, () => {
      if (connection.state === CLOSED) return;
      connection.gate.release(PAUSED_FOR_DISK);
      connection.goOn(number, key, resume);
      connection.readOn(0);
    });
  }

  /** Stops reading until a login is decided, then runs `resume` and reads on. */
  forLogin<T>(decision: Promise<T>, key: number, resume: (decided: T) => void): void {
    const { connection } = this;
    connection.gate.pause(PAUSED_FOR_LOGIN);
    const go = (act: () => void): void => {
      if (connection.state < CLOSING) connection.attempt(0, key, act);
      connection.readOn(PAUSED_FOR_LOGIN);
    };
    const decided = decision.then(
      (user) => go(() => resume(user)),
      (error: unknown) => go(() => connection.failed(error, 0, key)),
    );
    const { peerGuard } = connection.server;
    peerGuard.promise('login', decided, () => connection.abort('internal error'));
  }

  /** Runs a method that publishes, at once or when no alarm is on any more. */
  forSpace(number: number, key: number, act: () => void): void {
    const { connection } = this;
    if (!connection.guard.postpone(() => connection.goOn(number, key, act))) act();
  }
}
