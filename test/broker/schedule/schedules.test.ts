import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { checkStore } from '../../../src/broker/check/check-store.ts';
import { readSchedule } from '../../../src/broker/definitions/schedule-json.ts';
import { rowKey } from '../../../src/store/row.ts';
import { TABLE_POLICIES } from '../../../src/store/tables.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import { SmallBroker } from '../small-broker.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A whole hour of a winter's day. */
const START = Date.UTC(2025, 0, 15, 10);
const HOURLY = { cron: '0 * * * *' };

function begun(nowMs = START): SmallBroker {
  const small = new SmallBroker(undefined, nowMs);
  small.declare('reports');
  small.commit();
  return small;
}

function set(small: SmallBroker, json: JsonObject, name = 'report'): void {
  const all: JsonObject = { routing_key: 'reports', payload: 'now', ...json };
  small.vhost.schedules.set(readSchedule(name, (key) => all[key]));
  small.run();
}

function ready(small: SmallBroker, queue = 'reports'): number {
  return small.queue(queue).readyCount;
}

function stateOf(
  small: SmallBroker,
  name = 'report',
): ReturnType<typeof small.vhost.schedules.find> {
  return small.vhost.schedules.find(name);
}

/** The time of day is set, while as good as no time goes by. */
function setClock(small: SmallBroker, byMs: number): void {
  small.jumpedMs += byMs;
  small.pass(1);
  small.pass(1);
}

test('a schedule publishes once with each of its ticks', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR - 1);
  expect(ready(small)).toBe(0);
  small.pass(1);
  expect(ready(small)).toBe(1);
  small.pass(0);
  small.pass(HOUR);
  expect(ready(small)).toBe(2);
  expect(stateOf(small).state).toMatchObject({ published: 2, failed: 0, error: null });
  expect(stateOf(small).state.lastAtMs).toBe(START + 2 * HOUR);
});

test('a schedule of every so many milliseconds counts from when it was set', () => {
  const small = begun(START + 123);
  set(small, { every: 1500 });
  small.pass(1499);
  expect(ready(small)).toBe(0);
  for (let n = 0; n < 4; n++) small.pass(n === 0 ? 1 : 1500);
  expect(ready(small)).toBe(4);
});

test('a tick whose batch is lost with the power is made up for, and one whose batch is there is not', () => {
  const small = begun();
  set(small, HOURLY);
  small.nowMs += HOUR;
  small.broker.core.tick();
  expect(ready(small)).toBe(1);
  // Nothing was sealed: neither the message nor the note of it is on the disk.
  const lost = small.crashed();
  expect(ready(lost)).toBe(0);
  lost.pass(1);
  expect(ready(lost)).toBe(1);
  const again = lost.crashed();
  again.pass(HOUR / 2);
  expect(ready(again)).toBe(1);
  again.pass(HOUR / 2);
  expect(ready(again)).toBe(2);
});

test('of the ticks that a broker was down for one is made up for', () => {
  for (const timing of [HOURLY, { every: HOUR }]) {
    const small = begun();
    set(small, timing);
    small.pass(HOUR);
    const later = new SmallBroker(small.disk, small.nowMs + 5 * HOUR + HOUR / 2);
    later.pass(1);
    expect(ready(later)).toBe(2);
    const again = later.crashed();
    again.pass(HOUR / 2 - 2);
    expect(ready(again)).toBe(2);
    again.pass(2);
    expect(ready(again)).toBe(3);
  }
});

test('a clock that jumps ahead fires one tick for those that it jumped over', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR / 2);
  setClock(small, 5 * HOUR);
  expect(ready(small)).toBe(1);
  small.pass(HOUR / 2);
  expect(ready(small)).toBe(2);
});

test('a clock that is set back fires no tick twice, and those behind in their time', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR);
  small.pass(HOUR);
  expect(ready(small)).toBe(2);
  setClock(small, -2 * HOUR + HOUR / 2);
  for (let n = 0; n < 3; n++) small.pass(HOUR / 2);
  expect(ready(small)).toBe(2);
  small.pass(HOUR);
  expect(ready(small)).toBe(3);
});

test('ticks that a clock jumped over come in their time once it is set right', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR / 2);
  setClock(small, 365 * DAY);
  // The one of 11:00 was made up for.
  expect(ready(small)).toBe(1);
  setClock(small, -365 * DAY);
  small.pass(HOUR / 2);
  expect(ready(small)).toBe(1);
  const again = small.crashed();
  again.pass(HOUR);
  expect(ready(again)).toBe(2);
});

test('a clock that was set back by weeks was wrong before: ticks go by the new time', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR);
  setClock(small, -30 * DAY);
  small.pass(HOUR);
  expect(ready(small)).toBe(2);
});

test('setting the time of day changes nothing for a schedule of every so many milliseconds', () => {
  const small = begun();
  set(small, { every: HOUR });
  setClock(small, 10 * DAY);
  setClock(small, -20 * DAY);
  expect(ready(small)).toBe(0);
  small.pass(HOUR);
  expect(ready(small)).toBe(1);
});

test('a daily time goes by its zone, and by summer time there', () => {
  const small = begun(Date.UTC(2025, 2, 28, 12));
  set(small, { cron: '30 7 * * *', time_zone: 'Europe/Berlin' });
  const times: number[] = [];
  for (let n = 0; n < 3; n++) {
    const nextMs = stateOf(small).nextMs as number;
    small.pass(nextMs - small.nowMs);
    times.push(nextMs);
  }
  // The clocks go forward on 30 March.
  expect(times.map((ms) => new Date(ms).toISOString())).toEqual([
    '2025-03-29T06:30:00.000Z',
    '2025-03-30T05:30:00.000Z',
    '2025-03-31T05:30:00.000Z',
  ]);
  expect(ready(small)).toBe(3);
});

test.each([
  // Left out on the day, so it comes as the clock has jumped.
  ['2025-03-29T12:00:00Z', ['2025-03-30T01:00:00.000Z', '2025-03-31T00:30:00.000Z']],
  // Comes twice on the day, and is taken once.
  ['2025-10-25T12:00:00Z', ['2025-10-26T00:30:00.000Z', '2025-10-27T01:30:00.000Z']],
])('a time that summer time leaves out or repeats comes once: from %s', (from, wanted) => {
  const small = begun(Date.parse(from));
  set(small, { cron: '30 2 * * *', time_zone: 'Europe/Berlin' });
  for (const time of wanted) {
    expect(new Date(stateOf(small).nextMs as number).toISOString()).toBe(time);
    small.pass(Date.parse(time) - small.nowMs);
  }
  expect(ready(small)).toBe(2);
});

test('an exchange or a queue that is not there is told, and the schedule goes on', () => {
  const small = begun();
  const failures: object[] = [];
  small.broker.changes.listener = ({ act, names }) => {
    if (act === 'failed') failures.push(names);
  };
  const exchange = { name: 'x', type: 'fanout', durable: true, autoDelete: false, internal: false };
  small.vhost.as(ALL_RIGHTS).declareExchange({ ...exchange, arguments: new Map() });
  set(small, { ...HOURLY, exchange: 'x' });
  small.pass(HOUR);
  expect(stateOf(small).state.error).toMatch(/^no queue is bound to exchange 'x' in vhost '\/'/);
  small.vhost.as(ALL_RIGHTS).deleteExchange(
    'x',
    false,
    (steps, then) => {
      for (const _ of steps);
      then();
    },
    () => {},
  );
  small.pass(HOUR);
  small.pass(HOUR);
  expect(stateOf(small).state.error).toBe("no exchange 'x' in vhost '/'");
  expect(stateOf(small).state).toMatchObject({ published: 0, failed: 3 });
  // Each fault is told once, and not with each tick.
  expect(failures).toHaveLength(2);
  set(small, HOURLY);
  small.pass(HOUR);
  expect(ready(small)).toBe(1);
  expect(stateOf(small).state).toMatchObject({ error: null, published: 1, failed: 3 });
});

test('the message has its properties: it is persistent, expires, and waits if it says so', () => {
  const small = begun();
  small.declare('brief');
  set(small, HOURLY, 'plain');
  set(small, { ...HOURLY, properties: { delivery_mode: 1 } }, 'transient');
  set(small, { ...HOURLY, properties: { headers: { 'x-delay': 60_000 } } }, 'later');
  const expiring = { routing_key: 'brief', properties: { expiration: '1000' } };
  set(small, { ...HOURLY, ...expiring }, 'short');
  small.pass(HOUR);
  const queue = small.queue('reports');
  expect([queue.readyCount, queue.delayedCount, ready(small, 'brief')]).toEqual([2, 1, 1]);
  small.pass(1000);
  expect(ready(small, 'brief')).toBe(0);
  const again = small.crashed();
  again.pass(60_000);
  // The plain one and the one that waited.
  expect(ready(again)).toBe(2);
});

test('with another content a schedule keeps its pace, with another timing it begins anew', () => {
  const small = begun();
  set(small, { every: HOUR });
  small.pass(HOUR / 2);
  set(small, { every: HOUR, payload: 'other' });
  small.pass(HOUR / 2);
  expect(ready(small)).toBe(1);
  small.pass(HOUR / 2);
  set(small, { every: HOUR + 1000 });
  small.pass(HOUR);
  expect(ready(small)).toBe(1);
  small.pass(1000);
  expect(ready(small)).toBe(2);
});

test('a schedule whose message was changed keeps its pace across a restart', () => {
  const small = begun();
  set(small, { every: HOUR });
  small.pass(HOUR / 2);
  set(small, { every: HOUR, payload: 'other' });
  const again = small.crashed();
  again.pass(HOUR / 2);
  expect(ready(again)).toBe(1);
});

test('schedules of a vhost tick no more from the moment that its deletion begins', () => {
  const small = begun();
  const other = small.broker.putVhost('other');
  other.schedules.set(readSchedule('going', (key) => ({ every: HOUR })[key as 'every']));
  const schedule = other.schedules.find('going');
  const never = new Promise<void>(() => {});
  void small.broker.vhostDeletions.inSteps('other', () => never);
  small.pass(HOUR);
  expect(schedule.state).toMatchObject({ published: 0, failed: 0 });
});

test('a schedule that was deleted, or whose vhost was, ticks no more and leaves no row', () => {
  const small = begun();
  set(small, HOURLY);
  small.pass(HOUR);
  small.vhost.schedules.clear('report');
  small.pass(HOUR);
  expect(ready(small)).toBe(1);
  const other = small.broker.putVhost('other');
  other.schedules.set(
    readSchedule('gone', (key) => ({ ...HOURLY, routing_key: 'q' })[key as 'cron']),
  );
  small.pass(HOUR);
  small.broker.deleteVhost('other');
  small.pass(HOUR);
  const rows = [...small.store.range(TABLE_POLICIES, Buffer.from('s'), Buffer.from('u'))];
  expect(rows).toEqual([]);
  expect(small.crashed().vhost.schedules.any).toBe(false);
});

test('a message to very many queues goes to all of them with the note of its tick', () => {
  const small = begun();
  for (let n = 0; n < 300; n++) {
    small.declare(`q${n}`);
    const to = { kind: 'queue', name: `q${n}` } as const;
    small.vhost.as(ALL_RIGHTS, small).bind('amq.fanout', to, '', new Map());
  }
  set(small, { ...HOURLY, exchange: 'amq.fanout' });
  small.pass(HOUR);
  const again = small.crashed();
  again.pass(1);
  for (let n = 0; n < 300; n++) expect(ready(again, `q${n}`)).toBe(1);
});

test('schedules wait while an alarm holds up publishers', () => {
  const small = begun();
  set(small, HOURLY);
  small.broker.alarms.disk.forced = true;
  small.pass(HOUR);
  small.pass(HOUR);
  expect(ready(small)).toBe(0);
  small.broker.alarms.disk.forced = false;
  small.pass(1000);
  expect(ready(small)).toBe(1);
});

test('the check of a store reads schedules, and a start sets those aside that are damaged', () => {
  const small = begun();
  set(small, HOURLY);
  set(small, HOURLY, 'other');
  small.pass(HOUR);
  const key = rowKey('s', '/', 'report');
  const row = Buffer.from(small.store.get(TABLE_POLICIES, key) as Buffer);
  row[5] = (row[5] as number) ^ 1;
  small.store.put(TABLE_POLICIES, key, row);
  small.commit();
  const damage = checkStore(small.store).damage.map(({ kind }) => kind);
  expect(damage).toEqual(['policy, parameter or schedule']);
  const again = small.crashed();
  const aside = [...again.broker.core.setAsideRows.list()];
  expect(aside).toMatchObject([{ kind: 'schedule', vhost: '/', name: 'report' }]);
  again.pass(HOUR);
  expect(ready(again)).toBe(3);
});

test('what a schedule can be is bounded', () => {
  const small = begun();
  for (let n = 0; n < 1000; n++) {
    small.vhost.schedules.set(readSchedule(`s${n}`, (key) => ({ every: 5000 })[key as 'every']));
  }
  expect(() => set(small, HOURLY)).toThrow(/may have 1000 schedules at most/);
});

test.each([
  [{}, /either 'cron' or 'every'/],
  [{ cron: '0 * * * *', every: 1000 }, /either 'cron' or 'every'/],
  [{ every: 999 }, /'every' must be a whole number of milliseconds from 1000/],
  [{ every: '5000' }, /'every' must be a whole number/],
  [{ every: 1000, time_zone: 'UTC' }, /'time_zone' goes with 'cron'/],
  [{ cron: 5 }, /'cron' must be a text/],
  [{ cron: '61 * * * *' }, /"61 \* \* \* \*" is no cron expression: Invalid value for minute/],
  [{ cron: '* * * *' }, /it has to have 5 or 6 fields/],
  [{ cron: '0 0 1 1 * * 2030' }, /it has to have 5 or 6 fields/],
  [{ cron: '2030-01-01T00:00:00' }, /it has to have 5 or 6 fields/],
  [{ cron: '@reboot' }, /it has to have 5 or 6 fields/],
  [{ cron: '0 0 31 2 *' }, /there is no such time/],
  [{ cron: '0 '.repeat(200) }, /it has to have 5 or 6 fields/],
  [{ cron: '0 0 * * *', time_zone: 'Mars/Base' }, /there is no time zone "Mars\/Base"/],
  [{ cron: '0 0 * * *', time_zone: '+02:00' }, /there is no time zone/],
  [{ every: 1000, exchange: 'x'.repeat(256) }, /'exchange' must be a text of at most 255 bytes/],
  [{ every: 1000, payload: 'x'.repeat(65_537) }, /'payload' must not be longer than 65536 bytes/],
  [{ every: 1000, payload: {} }, /'payload' must be a text/],
  [{ every: 1000, payload_encoding: 'hex' }, /'payload_encoding' must be string or base64/],
  [{ every: 1000, payload: '???', payload_encoding: 'base64' }, /'payload' is no base64/],
  [{ every: 1000, properties: { colour: 1 } }, /there is no property 'colour'/],
  [{ every: 1000, properties: { headers: { a: 'x'.repeat(20_000) } } }, /more than 16384 bytes/],
  [{ every: 1000, properties: { expiration: 'soon' } }, /'expiration' must be a text of digits/],
  [{ every: 1000, properties: { reply_to: 'amq.rabbitmq.reply-to' } }, /'reply_to' must not be/],
  [{ every: 1000, properties: { headers: { CC: 'a' } } }, /unacceptable_type_in_header/],
  [{ every: 1000, properties: { headers: { 'x-delay': 4e11 } } }, /a message may wait for/],
  [{ every: 1000, properties: { headers: { 'x-ack-delivery-tag': 1 } } }, /no delivery to ack/],
] as [JsonObject, RegExp][])(
  'what is no schedule is refused with what is wrong: %j',
  (json, text) => {
    expect(() => readSchedule('s', (key) => json[key])).toThrow(text);
  },
);
