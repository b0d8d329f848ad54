// Owns the schedules of one vhost: they are set, kept and deleted. Never publishes: schedule-watch.ts does.

import { Refusal } from '../errors.ts';
import type { Steps } from '../turn/slices.ts';
import { askedOf } from './asked.ts';
import { publishScheduled } from './publish-scheduled.ts';
import { Schedule, type ScheduleDefinition, type ScheduledVhost, sameTiming } from './schedule.ts';
import type { ScheduleWatch } from './schedule-watch.ts';

/** A vhost has no more of them. */
const SCHEDULES_MAX = 1000;

/** The schedules of one vhost. */
export class Schedules {
  private readonly vhost: ScheduledVhost;
  private readonly watch: ScheduleWatch;
  private readonly byName = new Map<string, Schedule>();

  constructor(vhost: ScheduledVhost, watch: ScheduleWatch) {
    this.vhost = vhost;
    this.watch = watch;
  }

  /** Reads back what is stored. A tick that was missed is due at once. */
  recover(): void {
    const { rows } = this.watch;
    const now = this.watch.now();
    const ticks = rows.ticks(this.vhost.name);
    const found = rows.read(this.vhost.name, ({ definition, since }) => {
      const asked = askedOf(definition.headerPayload);
      const schedule = new Schedule(this.vhost, definition, asked, since);
      // One whose next time cannot be found is set aside.
      schedule.plan(now);
      return schedule;
    });
    for (const schedule of found) {
      schedule.state = ticks.get(schedule.name) ?? schedule.state;
      this.byName.set(schedule.name, schedule);
      this.watch.add(schedule);
    }
  }

  /** All of them, one by one; others may come and go meanwhile. */
  each(): Iterable<Schedule> {
    return this.byName.values();
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.byName.size > 0;
  }

  /** The schedule of that name; throws a Refusal when there is none. */
  find(name: string): Schedule {
    const schedule = this.byName.get(name);
    if (schedule !== undefined) return schedule;
    throw new Refusal('not-found', `no schedule '${name}' in vhost '${this.vhost.name}'`);
  }

  /** Whether there is one of that name. */
  has(name: string): boolean {
    return this.byName.has(name);
  }

  /** Throws a Refusal where so many more are too many. */
  checkRoom(more: number): void {
    if (this.byName.size + more <= SCHEDULES_MAX) return;
    const text = `vhost '${this.vhost.name}' may have ${SCHEDULES_MAX} schedules at most`;
    throw new Refusal('invalid', text);
  }

  /**
   * Makes a schedule, or changes the one of that name: with the same timing it keeps its pace, with another it begins
   * anew. Throws a Refusal or an AmqpError, and has changed nothing then.
   */
  set(definition: ScheduleDefinition): void {
    const { core, rows, changes } = this.watch;
    const { name, timing, headerPayload } = definition;
    const now = this.watch.now();
    const asked = askedOf(headerPayload);
    const known = this.byName.get(name);
    if (known === undefined) this.checkRoom(1);
    const kept = known !== undefined && sameTiming(known.definition.timing, timing) ? known : null;
    const since = kept?.since ?? now;
    const row = rows.encode(definition, since);
    core.line.change(() => {
      rows.put(this.vhost.name, name, row);
      if (kept !== null) {
        kept.definition = definition;
        kept.asked = asked;
      } else {
        if (known !== undefined) this.watch.remove(known);
        rows.removeTicks(this.vhost.name, name);
        const made = new Schedule(this.vhost, definition, asked, since);
        this.byName.set(name, made);
        this.watch.add(made);
      }
      changes.tell('schedule', 'set', { vhost: this.vhost.name, schedule: name });
      core.definitionChanged();
    });
  }

  /** Deletes a schedule; throws a Refusal when there is none. */
  clear(name: string): void {
    const { core, rows, changes } = this.watch;
    const schedule = this.find(name);
    core.line.change(() => {
      this.byName.delete(name);
      this.watch.remove(schedule);
      rows.remove(this.vhost.name, name);
      changes.tell('schedule', 'deleted', { vhost: this.vhost.name, schedule: name });
      core.definitionChanged();
    });
  }

  /** Publishes the message of one now, beside its ticks; `done` hears why it reached no queue, or null. */
  run(name: string, done: (error: string | null) => void): void {
    const { core } = this.watch;
    publishScheduled(core, this.find(name), (error) => {
      core.definitionChanged();
      done(error);
    });
    core.awaitBatch();
  }

  /** None ticks any more: the vhost goes. */
  stop(): void {
    for (const schedule of this.each()) this.watch.remove(schedule);
  }

  /** Takes all off the disk: the vhost is deleted. */
  *discarding(): Steps {
    for (const { name } of [...this.each()]) {
      this.clear(name);
      yield;
    }
  }
}
