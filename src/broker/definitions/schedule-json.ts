// Owns how schedules look in JSON and come back from it: in definitions and the HTTP API alike. Never keeps one.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import { isInteger, isObject, wordOf } from '../../util/json/json.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { checkNewName } from '../access/names.ts';
import { Refusal } from '../errors.ts';
import { askedOf } from '../schedule/asked.ts';
import { checkCron, DEFAULT_ZONE } from '../schedule/cron.ts';
import {
  EVERY_MAX_MS,
  EVERY_MIN_MS,
  type ScheduleDefinition,
  type Timing,
} from '../schedule/schedule.ts';
import { headerFromJson, propertiesToJson } from './properties-json.ts';

/** Bytes of a payload, and of all properties, at most: they are in memory, a thousand of them in a vhost. */
const PAYLOAD_BYTES_MAX = 64 * 1024;
const PROPERTIES_BYTES_MAX = 16 * 1024;

/** The keys of a schedule, but for its name and vhost. */
export const SCHEDULE_KEYS = [
  'cron',
  'every',
  'time_zone',
  'exchange',
  'routing_key',
  'properties',
  'payload',
  'payload_encoding',
] as const;

/** What a schedule is made of, by key; undefined: it is not there. */
export type ScheduleFields = (key: (typeof SCHEDULE_KEYS)[number]) => JsonValue | undefined;

/** What the default exchange is called where a name must not be empty. */
const DEFAULT_EXCHANGE = 'amq.default';

/** Reads a schedule. Throws a Refusal that names what is wrong, and how it would be right. */
export function readSchedule(name: string, field: ScheduleFields): ScheduleDefinition {
  checkNewName('schedule', name);
  const timing = readTiming(field);
  const exchange = shortText(field, 'exchange');
  const routingKey = shortText(field, 'routing_key');
  const body = payloadOf(field);
  const headerPayload = headerFromJson(durably(field('properties') ?? {}), body.length);
  if (headerPayload.length > PROPERTIES_BYTES_MAX) {
    throw invalid(`'properties' must not take more than ${PROPERTIES_BYTES_MAX} bytes`);
  }
  askedOf(headerPayload);
  return {
    name,
    timing,
    exchange: exchange === DEFAULT_EXCHANGE ? '' : exchange,
    routingKey,
    headerPayload,
    body,
  };
}

/** When a schedule ticks. Throws a Refusal. */
export function readTiming(field: ScheduleFields): Timing {
  const [cron, every, zone] = [field('cron'), field('every'), field('time_zone')].map((each) =>
    each === null ? undefined : each,
  );
  if ((cron === undefined) === (every === undefined)) {
    throw invalid(`either 'cron' or 'every' must be there, such as "cron": "30 2 * * *"`);
  }
  if (every !== undefined) {
    if (zone !== undefined) throw invalid(`'time_zone' goes with 'cron' alone`);
    if (isInteger(every) && every >= EVERY_MIN_MS && every <= EVERY_MAX_MS) {
      return { everyMs: Number(every) };
    }
    const bounds = `from ${EVERY_MIN_MS} to ${EVERY_MAX_MS}`;
    throw invalid(`'every' must be a whole number of milliseconds ${bounds}, not ${wordOf(every)}`);
  }
  if (typeof cron !== 'string') throw invalid(`'cron' must be a text, not ${wordOf(cron)}`);
  const timeZone = zone ?? DEFAULT_ZONE;
  if (typeof timeZone !== 'string') {
    throw invalid(`'time_zone' must be a text, not ${wordOf(timeZone)}`);
  }
  checkCron(cron, timeZone);
  return { cron: cron.trim(), timeZone };
}

/** A schedule as JSON, without its name. A payload that is no text is in base64. */
export function scheduleToJson(definition: ScheduleDefinition): JsonObject {
  const { timing, exchange, routingKey, headerPayload, body } = definition;
  const text = body.toString();
  const isText = Buffer.from(text).equals(body);
  return {
    ...timingToJson(timing),
    exchange,
    routing_key: routingKey,
    properties: propertiesToJson(headerPayload, askedOf(headerPayload).headers),
    payload: isText ? text : body.toString('base64'),
    payload_encoding: isText ? 'string' : 'base64',
  };
}

function timingToJson(timing: Timing): JsonObject {
  if ('cron' in timing) return { cron: timing.cron, time_zone: timing.timeZone };
  return { every: timing.everyMs };
}

/** A message of a schedule is persistent unless its properties say otherwise. */
function durably(properties: JsonValue): JsonValue {
  if (Array.isArray(properties) && properties.length === 0) return { delivery_mode: 2 };
  if (!isObject(properties) || properties['delivery_mode'] !== undefined) return properties;
  return { ...properties, delivery_mode: 2 };
}

function payloadOf(field: ScheduleFields): Buffer {
  const payload = field('payload') ?? '';
  const encoding = field('payload_encoding') ?? 'string';
  if (typeof payload !== 'string') {
    throw invalid(`'payload' must be a text, not ${wordOf(payload)}: JSON goes in as a text`);
  }
  if (encoding !== 'string' && encoding !== 'base64') {
    throw invalid(`'payload_encoding' must be string or base64, not ${wordOf(encoding)}`);
  }
  if (encoding === 'base64' && /[^A-Za-z0-9+/=\s]|=[^=\s]/.test(payload)) {
    throw invalid(`'payload' is no base64, as 'payload_encoding' says that it is`);
  }
  const body = Buffer.from(payload, encoding === 'string' ? 'utf8' : 'base64');
  if (body.length <= PAYLOAD_BYTES_MAX) return body;
  throw invalid(`'payload' must not be longer than ${PAYLOAD_BYTES_MAX} bytes`);
}

function shortText(field: ScheduleFields, key: 'exchange' | 'routing_key'): string {
  const value = field(key) ?? '';
  if (typeof value === 'string' && isShort(value)) return value;
  throw invalid(`'${key}' must be a text of at most ${SHORT_BYTES_MAX} bytes`);
}

function invalid(text: string): Refusal {
  return new Refusal('invalid', text);
}
