import { pino } from 'pino';
import { expect, test } from 'vitest';
import { LineQuota, ORDINARY_MAX, REFUSALS_MAX } from '../../../src/server/log/line-quota.ts';
import { TimerWheel } from '../../../src/util/timers.ts';
import { eventually } from '../../support/amqp.ts';
import { FakeClock, useServers } from '../support.ts';

const start = useServers();
const SPAN_MS = 10_000;

function quota() {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock);
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) });
  const pass = (ms: number): void => {
    for (let gone = 0; gone < ms; gone += 100) {
      clock.nowMs += 100;
      wheel.advance();
    }
  };
  return { lines, pass, wheel, quota: new LineQuota(log, wheel) };
}

test('so many lines of a kind are admitted in a span, and the others are told in one', () => {
  const { lines, pass, quota: some } = quota();
  let admitted = 0;
  for (let i = 0; i < 1259; i++) if (some.admits('a')) admitted += 1;
  expect(admitted).toBe(REFUSALS_MAX);
  expect(some.admits('b')).toBe(true);
  expect(lines).toEqual([]);
  pass(SPAN_MS + 100);
  expect(lines).toMatchObject([{ line: 'a', more: 1234, msg: 'more lines of one kind' }]);
  expect(some.admits('a')).toBe(true);
});

test('a broker that is left alone says nothing, and has no timer', () => {
  const { lines, pass, wheel, quota: some } = quota();
  some.admits('a');
  pass(10 * SPAN_MS);
  expect([lines, wheel.size]).toEqual([[], 0]);
});

test('what was left out is told when the broker stops', () => {
  const { lines, quota: some } = quota();
  for (let i = 0; i < REFUSALS_MAX + 2; i++) some.admits('a');
  some.stop();
  expect(lines).toMatchObject([{ more: 2 }]);
});

test('strangers who connect and go get a few lines in all, and cannot hide those of users', async () => {
  const broker = await start({}, new FakeClock());
  const strangers = REFUSALS_MAX * 3;
  for (let i = 0; i < strangers; i++) {
    const raw = await broker.dial();
    raw.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect((await raw.next()).name).toBe('protocol header');
    raw.drop();
    (await broker.dial()).drop();
  }
  const known = await broker.open();
  await known.close();
  await eventually(() => broker.connectionCount === 0);
  const count = (msg: string): number =>
    broker.lines.filter((line) => line.msg.startsWith(msg)).length;
  expect(count('connection refused')).toBe(REFUSALS_MAX);
  expect(count('connection opened')).toBe(1);
  expect(count('connection closed')).toBe(REFUSALS_MAX + 1);
  broker.server.lines.stop();
  expect(broker.lines.filter(({ msg }) => msg === 'more lines of one kind')).toMatchObject([
    { line: 'connection refused', more: strangers - REFUSALS_MAX },
    { line: 'connection closed before it was open', more: strangers - REFUSALS_MAX },
  ]);
});

test('wrong logins and errors of channels are counted too', async () => {
  const broker = await start();
  // However long it takes, all of it is in one span.
  Object.assign(broker.server.lines, { wheel: new TimerWheel(new FakeClock()) });
  for (let i = 0; i < REFUSALS_MAX + 5; i++) {
    const raw = await broker.dial();
    await raw.open({ password: 'wrong' });
    raw.drop();
  }
  const raw = await broker.open();
  for (let i = 0; i < ORDINARY_MAX + 5; i++) {
    await raw.attempt('queue.declare', { queue: 'missing', passive: true });
  }
  const count = (msg: string): number => broker.lines.filter((line) => line.msg === msg).length;
  expect(count('login refused')).toBe(REFUSALS_MAX);
  expect(count('channel closed after an error')).toBe(ORDINARY_MAX);
  // What a line has told already is not told again.
  expect(broker.lines.filter(({ msg }) => msg.startsWith('connection closed'))).toEqual([]);
});

test('a connection that the broker closes has one line, which says why', async () => {
  const broker = await start();
  const raw = await broker.dial();
  expect((await raw.open({ vhost: 'none' })).name).toBe('connection.close');
  raw.drop();
  await eventually(() => broker.connectionCount === 0);
  expect(broker.lines.filter(({ msg }) => msg.startsWith('connection closed'))).toMatchObject([
    { msg: 'connection closed by the broker', reason: 'NOT_ALLOWED - vhost none not found' },
  ]);
});
