// Owns why the input of one connection is held back, and holds it back. Never decides that: the code that
// gives a reason takes it away again.

/** An answer waits for the disk. */
export const PAUSED_FOR_DISK = 1;
/** Too much waits for the socket. */
export const PAUSED_FOR_SOCKET = 2;
/** A login is being decided. */
export const PAUSED_FOR_LOGIN = 4;
/** The connection publishes, and the broker is short of memory or disk. */
export const PAUSED_BY_ALARM = 8;
/** It publishes faster than consumers take. */
export const PAUSED_BY_FLOW = 16;

/** It publishes faster than the disk writes. */
export const PAUSED_BY_STORE = 32;

/** An act of its own goes on over several turns; see broker/turn/slices.ts. */
export const PAUSED_BY_ACT = 128;

/** A test asked for it; see embed/faults.ts. */
export const PAUSED_BY_FAULT = 64;

/** What is held back: the socket, and the frames of what has been read already. */
export interface Input {
  pause(): void;
  resume(): void;
}

/** The gate between a socket and the frames of its connection. */
export class ReadGate {
  private reasons = 0;
  private readonly socket: Input;
  private readonly frames: { paused: boolean };

  constructor(socket: Input, frames: { paused: boolean }) {
    this.socket = socket;
    this.frames = frames;
  }

  /** Whether it is closed for this reason. */
  isPausedBy(reason: number): boolean {
    return (this.reasons & reason) !== 0;
  }

  /** Closes the gate for a reason: nothing is read after the frame at hand. */
  pause(reason: number): void {
    this.reasons |= reason;
    this.frames.paused = true;
    this.socket.pause();
  }

  /** Takes a reason away. */
  release(reason: number): void {
    this.reasons &= ~reason;
  }

  /** Opens the gate unless a reason is left; returns whether it is open. */
  open(): boolean {
    if (this.reasons !== 0) return false;
    this.frames.paused = false;
    this.socket.resume();
    return true;
  }
}
