// Owns what alarms do to one connection: it is blocked at the first publish that comes while one is on,
// and told so. Never decides when an alarm is on: broker/core/alarms.ts says it.

import type { Alarms } from '../../broker/core/alarms.ts';
import { PAUSED_BY_ALARM, type ReadGate } from './read-gate.ts';

/** What the guard needs of its connection. */
export interface GuardedConnection {
  send(name: 'connection.blocked', fields: { reason: string }): void;
  send(name: 'connection.unblocked', fields: Record<never, never>): void;
  /** Reads on, unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** Stands between the publishes of one connection and a broker that is short of something. */
export class AlarmGate {
  /** Whether publishes have to be asked about; looked at for every one of them. */
  on: boolean;
  /** Whether the peer understands connection.blocked. */
  wantsNotice = false;
  private readonly alarms: Alarms;
  private readonly connection: GuardedConnection;
  private readonly gate: ReadGate;
  private waiting: (() => void) | null = null;
  private told = false;
  /** What the body under way lacked when the connection was blocked; 0: none was under way. */
  bodyLeft = 0;
  /** Whether that body may come to its end. */
  ending = false;
  /** Whether it was let through in this alarm and the rest did not come. */
  passedOver = false;

  constructor(alarms: Alarms, connection: GuardedConnection, gate: ReadGate) {
    this.alarms = alarms;
    this.connection = connection;
    this.gate = gate;
    this.on = alarms.on;
  }

  /** Whether the connection is blocked. */
  get blocked(): boolean {
    return this.gate.isPausedBy(PAUSED_BY_ALARM);
  }

  /** A part of a publish has come, and `bodyLeft` is not there: if an alarm is on, no more is read. */
  published(bodyLeft: number): void {
    if (!this.on) return;
    this.bodyLeft = bodyLeft;
    if (this.ending || this.blocked) return;
    this.gate.pause(PAUSED_BY_ALARM);
    if (this.told || !this.wantsNotice) return;
    this.told = true;
    this.connection.send('connection.blocked', { reason: this.alarms.reason });
  }

  /** A body that came in parts is complete. */
  completed(): void {
    this.ending = false;
    this.bodyLeft = 0;
  }

  /** Reads on in an alarm, to the end of the body that is half there. */
  letBodyEnd(): void {
    this.ending = true;
    this.connection.readOn(PAUSED_BY_ALARM);
  }

  /** Takes that back: the peer does not send the rest. */
  holdBody(): void {
    this.ending = false;
    this.gate.pause(PAUSED_BY_ALARM);
  }

  /** Has a method that publishes wait for the end of the alarm, if one is on; returns whether. */
  postpone(act: () => void): boolean {
    if (!this.on) return false;
    this.published(0);
    this.waiting = act;
    return true;
  }

  /** An alarm has come on or gone. */
  alarmsChanged(): void {
    this.on = this.alarms.on;
    if (this.on) return;
    this.ending = false;
    this.passedOver = false;
    if (this.told) this.connection.send('connection.unblocked', {});
    this.told = false;
    this.letGo();
  }

  /** Reads on: the alarm is over, or the connection ends and publishes nothing more. */
  letGo(): void {
    const { waiting } = this;
    this.waiting = null;
    if (!this.blocked) return;
    waiting?.();
    this.connection.readOn(PAUSED_BY_ALARM);
  }
}
