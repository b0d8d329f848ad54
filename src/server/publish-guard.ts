// Owns what alarms do to one connection: it is blocked at the first publish that comes while one is on,
// and told so. Never decides when an alarm is on: broker/alarms.ts says it.

import type { Alarms } from '../broker/alarms.ts';
import { HELD_BY_ALARM, type InputGate } from './input-gate.ts';

/** What the guard needs of its connection. */
export interface GuardedConnection {
  send(name: 'connection.blocked', fields: { reason: string }): void;
  send(name: 'connection.unblocked', fields: Record<never, never>): void;
  /** Reads on, unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** Stands between the publishes of one connection and a broker that is short of something. */
export class PublishGuard {
  /** Whether publishes have to be asked about; looked at for every one of them. */
  on: boolean;
  /** Whether the peer understands connection.blocked. */
  wantsNotice = false;
  private readonly alarms: Alarms;
  private readonly connection: GuardedConnection;
  private readonly gate: InputGate;
  private waiting: (() => void) | null = null;

  constructor(alarms: Alarms, connection: GuardedConnection, gate: InputGate) {
    this.alarms = alarms;
    this.connection = connection;
    this.gate = gate;
    this.on = alarms.on;
  }

  /** Whether the connection is blocked. */
  get blocked(): boolean {
    return this.gate.isHeld(HELD_BY_ALARM);
  }

  /** A part of a publish has come: if an alarm is on, no more is read. */
  published(): void {
    if (!this.on || this.blocked) return;
    this.gate.hold(HELD_BY_ALARM);
    if (this.wantsNotice)
      this.connection.send('connection.blocked', { reason: this.alarms.reason });
  }

  /** Has a method that publishes wait for the end of the alarm, if one is on; returns whether. */
  postpone(act: () => void): boolean {
    if (!this.on) return false;
    this.published();
    this.waiting = act;
    return true;
  }

  /** An alarm has come on or gone. */
  alarmsChanged(): void {
    this.on = this.alarms.on;
    if (this.on || !this.blocked) return;
    if (this.wantsNotice) this.connection.send('connection.unblocked', {});
    this.letGo();
  }

  /** Reads on: the alarm is over, or the connection ends and publishes nothing more. */
  letGo(): void {
    const { waiting } = this;
    this.waiting = null;
    if (!this.blocked) return;
    waiting?.();
    this.connection.readOn(HELD_BY_ALARM);
  }
}
