// Owns when the schedules of all vhosts tick, and that each tick is published and noted in one batch. Sets no timer: it
// is called as queues are whose messages expire.

import type { Alarms } from '../core/alarms.ts';
import type { BrokerCore } from '../core/core.ts';
import type { BrokerEvents } from '../core/events.ts';
import type { Watched } from '../queue/ports.ts';
import { Deadlines } from '../turn/deadlines.ts';
import { publishScheduled } from './publish-scheduled.ts';
import type { Moment, Schedule } from './schedule.ts';
import { ScheduleRows } from './schedule-rows.ts';

/** While an alarm holds up publishers, it holds up schedules, which look again so often. */
const ALARM_LOOK_MS = 1000;
/** Times that no schedule waits for any more are thrown out when there are so many beside those of each schedule. */
const STALE_MAX = 64;

/** All schedules that may tick. */
export class ScheduleWatch implements Watched {
  readonly rows: ScheduleRows;
  readonly core: BrokerCore;
  readonly changes: BrokerEvents;
  readonly deleted = false;
  watchedMs = Infinity;
  private readonly alarms: Alarms;
  private readonly all = new Set<Schedule>();
  private due = new Deadlines<Schedule>();
  private entries = 0;
  /** How far the time of day was from that of the broker as all were planned. */
  private apartMs = 0;
  private ticking = false;

  constructor(core: BrokerCore, changes: BrokerEvents, alarms: Alarms) {
    this.core = core;
    this.changes = changes;
    this.alarms = alarms;
    this.rows = new ScheduleRows(core.store, core.setAsideRows);
    core.time.onJump = () => this.timeSet();
  }

  /** Both times now. */
  now(): Moment {
    const { time } = this.core;
    const brokerMs = time.now();
    return { brokerMs, wallMs: time.wallOf(brokerMs) };
  }

  /** From now on it ticks; called again, its next tick is found anew. */
  add(schedule: Schedule): void {
    if (this.all.size === 0) this.apartMs = this.core.time.wallOf(0);
    this.all.add(schedule);
    this.plan(schedule, this.now());
    this.watchNext();
  }

  /** From now on it does not. */
  remove(schedule: Schedule): void {
    this.all.delete(schedule);
  }

  deadlinePassed(): void {
    const { core } = this;
    if (core.stopping) return;
    const now = this.now();
    if (core.time.wallOf(0) !== this.apartMs) this.planAll(now);
    if (this.alarms.on) {
      if (this.due.nextMs <= now.brokerMs) core.watch(this, now.brokerMs + ALARM_LOOK_MS);
      else this.watchNext();
      return;
    }
    this.ticking = true;
    let rested = false;
    while (!rested) {
      const schedule = this.due.take(now.brokerMs);
      if (schedule === undefined) break;
      this.entries -= 1;
      if (!this.all.has(schedule) || schedule.firing || schedule.dueMs > now.brokerMs) continue;
      this.tick(schedule);
      // Each looks for its next time, which takes a part of a millisecond: many have more than one turn.
      rested = core.slices.spent;
    }
    this.ticking = false;
    this.watchNext(rested ? core.nowMs + 1 : 0);
  }

  /** Publishes the tick that is due, and notes that in the same batch. */
  private tick(schedule: Schedule): void {
    const { core, rows } = this;
    schedule.firing = true;
    publishScheduled(core, schedule, (error) => {
      schedule.firing = false;
      if (!this.all.has(schedule)) return;
      const { state, vhost, name } = schedule;
      const now = this.now();
      schedule.state = schedule.ticked(now, error);
      rows.putTicks(vhost.name, name, schedule.state);
      // Once, and not at each tick of the same fault.
      if (error !== null && error !== state.error) {
        this.changes.tell('schedule', 'failed', { vhost: vhost.name, schedule: name, error });
      }
      this.plan(schedule, now);
      this.watchNext();
    });
    core.awaitBatch();
  }

  /** The time of day was set: times of day come sooner or later than planned. */
  private timeSet(): void {
    if (this.all.size > 0) this.core.watch(this, this.core.nowMs);
  }

  private planAll(now: Moment): void {
    this.apartMs = this.core.time.wallOf(0);
    for (const schedule of this.all) if (schedule.byWallClock) this.plan(schedule, now);
  }

  private plan(schedule: Schedule, now: Moment): void {
    if (schedule.firing) return;
    schedule.plan(now);
    if (this.entries > 2 * this.all.size + STALE_MAX) {
      this.due = new Deadlines();
      this.entries = 0;
      for (const each of this.all) if (each !== schedule) this.line(each);
    }
    this.line(schedule);
  }

  private line(schedule: Schedule): void {
    if (schedule.dueMs === Infinity) return;
    this.due.add(schedule.dueMs, schedule);
    this.entries += 1;
  }

  private watchNext(earliestMs = 0): void {
    if (this.ticking) return;
    const nextMs = Math.max(this.due.nextMs, earliestMs);
    if (nextMs < this.watchedMs) this.core.watch(this, nextMs);
  }
}
