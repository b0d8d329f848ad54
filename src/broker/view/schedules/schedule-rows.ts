// Owns schedules as tools see them, and when one would tick. Never hands out anything that is alive.

import type { JsonObject } from '../../../util/json/json.ts';
import type { Broker } from '../../broker.ts';
import { readTiming, scheduleToJson } from '../../definitions/schedule-json.ts';
import { nextOfCron } from '../../schedule/cron.ts';
import type { Schedule } from '../../schedule/schedule.ts';

/** So many of the next times are shown at most. */
const PREVIEW_MAX = 20;

/** A schedule as JSON, by its name. */
export type ScheduleRow = JsonObject & { readonly name: string };

/** A schedule as tools see it. Times are in milliseconds since the Unix epoch. */
export function viewSchedule(broker: Broker, schedule: Schedule): ScheduleRow {
  const { name, vhost, definition, state, nextMs, byWallClock } = schedule;
  const next = nextMs === null || byWallClock ? nextMs : broker.core.time.wallOf(nextMs);
  return {
    name,
    vhost: vhost.name,
    ...scheduleToJson(definition),
    next_at: next,
    last_at: state.lastAtMs,
    last_error: state.error,
    published: state.published,
    failed: state.failed,
  };
}

/** The next times of a schedule that would be set now, ms since the Unix epoch. Throws a Refusal. */
export function nextTimes(broker: Broker, json: JsonObject, count: number): number[] {
  const timing = readTiming((key) => json[key]);
  const times: number[] = [];
  let atMs = broker.scheduleWatch.now().wallMs;
  while (times.length < Math.min(count, PREVIEW_MAX)) {
    const next: number | null =
      'cron' in timing ? nextOfCron(timing.cron, timing.timeZone, atMs) : atMs + timing.everyMs;
    if (next === null) break;
    times.push(next);
    atMs = next;
  }
  return times;
}
