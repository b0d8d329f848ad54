// Owns what a user may do with the schedules of a vhost. Never decides which user it is.

import { AmqpError } from '../../../amqp/errors.ts';
import { decodeProperties } from '../../../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../amqp/property-walk.ts';
import type { JsonObject } from '../../../util/json/json.ts';
import type { Grants } from '../../access/grants.ts';
import { readSchedule, SCHEDULE_KEYS } from '../../definitions/schedule-json.ts';
import { Refusal } from '../../errors.ts';
import { exchangeIn } from '../../names-in-texts.ts';
import { copyKeys } from '../../routing/sender-selected.ts';
import { askedOf } from '../../schedule/asked.ts';
import type { ScheduleDefinition } from '../../schedule/schedule.ts';
import type { Vhost } from '../../vhost/vhost.ts';

/** What is shown of a schedule, and not set. */
const SHOWN_KEYS = ['name', 'vhost', 'next_at', 'last_at', 'last_error', 'published', 'failed'];

/** What one user may do with the schedules of one vhost. Methods throw a Refusal or an AmqpError. */
export class ScheduleActor {
  private readonly vhost: Vhost;
  private readonly grants: Grants;

  constructor(vhost: Vhost, grants: Grants) {
    this.vhost = vhost;
    this.grants = grants;
  }

  /** Makes a schedule or changes it, if the user may publish what it will publish; returns whether it is new. */
  set(name: string, json: JsonObject): boolean {
    const unknown = Object.keys(json).find((key) => !KNOWN_KEYS.has(key));
    if (unknown !== undefined) {
      const known = SCHEDULE_KEYS.join(', ');
      throw new Refusal('invalid', `there is no '${unknown}' of a schedule: there are ${known}`);
    }
    const definition = readSchedule(name, (key) => json[key]);
    this.requirePublish(definition);
    const isNew = !this.vhost.schedules.has(name);
    this.vhost.schedules.set(definition);
    return isNew;
  }

  /** Publishes its message now, as the user; resolves with why it reached no queue, or with null. */
  run(name: string): Promise<string | null> {
    this.requirePublish(this.vhost.schedules.find(name).definition);
    return new Promise((resolve) => this.vhost.schedules.run(name, resolve));
  }

  private requirePublish({ exchange, routingKey, headerPayload }: ScheduleDefinition): void {
    const { grants, vhost } = this;
    grants.requireExchange('write', exchange);
    const found = vhost.exchange(exchange);
    if (found.internal) {
      const where = exchangeIn(vhost.name, exchange);
      throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${where}`);
    }
    const keys = [routingKey, ...copyKeys(askedOf(headerPayload).headers)];
    for (const key of keys) grants.requireTopic('write', found, key);
    const end = headerPayload.length;
    const { userId } = decodeProperties(headerPayload, PROPERTY_FLAGS_OFFSET, end);
    const { user } = grants;
    if (userId === undefined || userId === user.name || user.has('impersonator')) return;
    const text = `property 'user_id' names '${userId}', and the schedule is set by '${user.name}'`;
    throw new Refusal('invalid', text);
  }
}

const KNOWN_KEYS: ReadonlySet<string> = new Set([...SCHEDULE_KEYS, ...SHOWN_KEYS]);
