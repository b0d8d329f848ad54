import { expect, test } from 'vitest';
import { Appender, type Draft, tryToLead } from '../../../src/store/replicated/appender.ts';
import { Chain, LOG_START } from '../../../src/store/replicated/chain.ts';
import {
  DeposedError,
  LogFullError,
  UnansweredError,
} from '../../../src/store/replicated/log-client.ts';
import { BATCH, BEAT } from '../../../src/store/replicated/record.ts';
import { type CallKind, HeldCalls, MemoryLogClient, SharedLog } from './memory-log-client.ts';
import { CLAIM, leadBehind, placeOfLead, record } from './written.ts';

const batches = (...bodies: string[]): Draft[] =>
  bodies.map((body) => ({ kind: BATCH, parts: [Buffer.from(body)] }));

/** A turn of the event loop: what follows from an answer has been done then. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What counts in a log, by its bodies. */
function counted(log: SharedLog): string[] {
  const chain = new Chain(LOG_START);
  const bodies: string[] = [];
  for (const [i, bytes] of log.records.entries()) {
    const step = chain.read(i + 1, bytes as Buffer);
    if (step.is === 'damaged') throw new Error(step.why);
    if (step.is === 'counts' && step.batch !== null) bodies.push(step.batch.join(''));
  }
  return bodies;
}

/** A leader behind its LEAD at 1, and the calls that it makes. */
function leader(): {
  log: SharedLog;
  held: HeldCalls;
  client: MemoryLogClient;
  appender: Appender;
  pauses: () => number;
  does: (...kinds: CallKind[]) => Promise<void>;
} {
  const log = new SharedLog();
  log.append(leadBehind(LOG_START), 0);
  const held = new HeldCalls();
  const client = new MemoryLogClient(log, held.courier);
  let pauses = 0;
  const pause = (): Promise<void> => {
    pauses += 1;
    return Promise.resolve();
  };
  const appender = new Appender(client, placeOfLead(LOG_START), pause);
  const does = async (...kinds: CallKind[]): Promise<void> => {
    for (const kind of kinds) {
      held.next(kind).pass();
      await turn();
    }
  };
  return { log, held, client, appender, pauses: () => pauses, does };
}

test('records are sent at once, each behind the one before, and count where they were acked', async () => {
  const { log, held, appender, does } = leader();
  const done = appender.append(batches('a', 'b', 'c'));
  expect(held.calls.map(({ kind }) => kind)).toEqual(['append', 'append', 'append']);
  await does('append', 'append', 'append');
  await done;
  expect(counted(log)).toEqual(['a', 'b', 'c']);
  expect(appender.place).toMatchObject({ seq: 4, epoch: 1, number: 3 });
  expect(appender.counts.resyncs).toBe(0);
});

test('so many are under way at most, and so many bytes, but one at least', async () => {
  const { held, appender, does } = leader();
  const many = appender.append(batches(...Array.from({ length: 20 }, () => 'x')));
  expect(held.calls.length).toBe(16);
  for (let i = 0; i < 16; i += 1) await does('append');
  expect(held.calls.length).toBe(4);
  await does('append', 'append', 'append', 'append');
  await many;
  const long = 'x'.repeat(9 * 2 ** 20);
  const large = appender.append(batches(long, long));
  expect(held.calls.length).toBe(1);
  await does('append', 'append');
  await large;
});

test('a BEAT carries the digest of all before it, those sent with it too', async () => {
  const { log, appender, does } = leader();
  const done = appender.append([...batches('a'), { kind: BEAT, parts: [] }, ...batches('b')]);
  await does('append', 'append', 'append');
  await done;
  expect(counted(log)).toEqual(['a', 'b']);
});

test('an answer that is lost is made good by reading: nothing is sent twice', async () => {
  const { log, held, appender, does } = leader();
  const done = appender.append(batches('a', 'b'));
  await does('append');
  const second = held.next('append');
  second.arrive();
  second.lose();
  await turn();
  await does('state', 'read', 'read');
  await done;
  expect(log.last).toBe(3);
  expect(counted(log)).toEqual(['a', 'b']);
  expect(appender.counts.resyncs).toBe(1);
});

test('a record that is lost is sent again with its number, and with it what came behind it', async () => {
  const { log, held, appender, does } = leader();
  const done = appender.append(batches('a', 'b'));
  const [first, second] = [held.next('append'), held.next('append')];
  second.pass();
  first.lose();
  await turn();
  await does('state', 'append', 'append');
  await done;
  expect(counted(log)).toEqual(['a', 'b']);
  // A copy of the first try that comes late counts for nothing.
  log.obeys = false;
  first.arrive();
  expect(counted(log)).toEqual(['a', 'b']);
});

test('where a later one is taken and an earlier one is not, both are sent again', async () => {
  const { log, held, appender, does } = leader();
  const done = appender.append(batches('a', 'b'));
  const [first, second] = [held.next('append'), held.next('append')];
  first.lose();
  log.append(Buffer.from('of another'), 1);
  second.pass(); // it fits by its place
  await turn();
  await does('state', 'read', 'read', 'append', 'append');
  await done;
  expect(log.last).toBe(5);
  expect(counted(log)).toEqual(['a', 'b']);
});

test('an ack of another place than expected is none', async () => {
  const { log, appender, does } = leader();
  log.obeys = false;
  log.append(Buffer.from('of another'), 0);
  const done = appender.append(batches('a'));
  await does('append', 'state', 'read', 'read');
  await done;
  expect(counted(log)).toEqual(['a']);
  expect(appender.place).toMatchObject({ seq: 3, number: 1 });
});

test('a LEAD of another node ends it, and names that node', async () => {
  const { log, held, appender, does } = leader();
  log.append(leadBehind(placeOfLead(LOG_START)), 1);
  const done = appender.append(batches('a'));
  const deposed = expect(done).rejects.toThrow('n1 leads since record 2 of the log');
  await does('append', 'state', 'read');
  await deposed;
  await expect(done).rejects.toThrow(DeposedError);
  // Its numbers are not given to others.
  await expect(appender.append(batches('b'))).rejects.toThrow(DeposedError);
  expect(held.calls).toEqual([]);
});

test('what counts and was not sent by this node ends it, as damage does', async () => {
  const damaged = record(BATCH, 1, 1, 'a');
  damaged[damaged.length - 1] = 0;
  for (const [bytes, why] of [
    [record(BATCH, 1, 1, 'of a twin'), 'record 2 of the log counts, and was not sent by this node'],
    [damaged, 'record 2 of the log does not match its checksum'],
  ] as const) {
    const { log, appender, does } = leader();
    log.append(bytes, 1);
    const done = appender.append(batches('a'));
    const deposed = expect(done).rejects.toThrow(why);
    await does('append', 'state', 'read');
    await deposed;
    await expect(done).rejects.toThrow(DeposedError);
  }
});

test('a log that is behind itself is asked again, with a pause, until it is not', async () => {
  const { log, client, appender, pauses, does } = leader();
  log.append(Buffer.from('of another'), 1);
  const done = appender.append(batches('a'));
  client.lag = () => 1;
  await does('append', 'state', 'append');
  expect(pauses()).toBe(1);
  await does('state', 'append');
  expect(pauses()).toBe(2);
  client.lag = () => 0;
  await does('state', 'read', 'append');
  await done;
  expect(counted(log)).toEqual(['a']);
});

test('a log that is behind what this node knows does not take it back', async () => {
  const { log, held, client, appender, does } = leader();
  const first = appender.append(batches('a'));
  await does('append');
  await first;
  const done = appender.append(batches('b'));
  client.lag = () => 2;
  held.next('append').lose();
  await turn();
  await does('state', 'append');
  await done;
  expect(counted(log)).toEqual(['a', 'b']);
});

test('a record that cannot be read yet, and a log that does not answer, are asked for again', async () => {
  const { log, held, client, appender, pauses, does } = leader();
  log.append(Buffer.from('of another'), 1);
  const done = appender.append(batches('a'));
  await does('append', 'state');
  client.lag = () => 1;
  await does('read');
  expect(pauses()).toBe(1);
  client.lag = () => 0;
  held.next('state').lose();
  await turn();
  expect(pauses()).toBe(2);
  await does('state', 'read', 'append');
  await done;
  expect(counted(log)).toEqual(['a']);
});

test('a leader whose records were trimmed away is none', async () => {
  const { log, appender, does } = leader();
  log.append(Buffer.from('of another'), 1);
  log.append(Buffer.from('of another'), 2);
  log.purge(3);
  const done = appender.append(batches('a'));
  const deposed = expect(done).rejects.toThrow('the log begins at record 3');
  await does('append', 'state');
  await deposed;
});

test('a full log is no reason to try again', async () => {
  const { log, held, appender, does } = leader();
  log.bytesMax = log.bytes;
  const done = appender.append(batches('a'));
  const refused = expect(done).rejects.toThrow(LogFullError);
  await does('append');
  await refused;
  await expect(appender.append(batches('b'))).rejects.toThrow(DeposedError);
  expect(held.calls).toEqual([]);
});

test('once stopped, it sends nothing more, and says so when the calls under way have ended', async () => {
  const { held, appender, does } = leader();
  const done = appender.append(batches('a'));
  const deposed = expect(done).rejects.toThrow(DeposedError);
  appender.stop();
  held.next('append').lose();
  await deposed;
  await does();
  expect(held.calls).toEqual([]);
});

test('what counts when it is stopped has been appended', async () => {
  const { appender, does } = leader();
  const done = appender.append(batches('a'));
  appender.stop();
  await does('append');
  await done;
});

/** Tries to lead a new log, with one call under way. */
function trying(log = new SharedLog()): { held: HeldCalls; led: ReturnType<typeof tryToLead> } {
  const held = new HeldCalls();
  const client = new MemoryLogClient(log, held.courier);
  return { held, led: tryToLead(client, LOG_START, CLAIM) };
}

test('a LEAD that is acked where it says leads', async () => {
  const { held, led } = trying();
  held.next('append').pass();
  expect(await led).toEqual({ is: 'leads', place: placeOfLead(LOG_START) });
});

test('one that is refused, or lies elsewhere, does not', async () => {
  for (const obeys of [true, false]) {
    const log = new SharedLog();
    log.obeys = obeys;
    log.append(Buffer.from('of another'), 0);
    const { held, led } = trying(log);
    held.next('append').pass();
    expect(await led).toEqual({ is: 'behind' });
  }
});

test('one that is not answered leads where it is found at its place, by its nonce', async () => {
  for (const of of ['its own', 'of another', 'nothing']) {
    const log = new SharedLog();
    const { held, led } = trying(log);
    const call = held.next('append');
    if (of === 'its own') call.arrive();
    else if (of === 'of another') log.append(Buffer.from(of), 0);
    call.lose();
    await turn();
    const read = held.next('read');
    if (of === 'nothing') {
      const failed = expect(led).rejects.toThrow(UnansweredError);
      read.pass();
      await failed;
    } else {
      read.pass();
      expect((await led).is).toBe(of === 'its own' ? 'leads' : 'behind');
    }
  }
});
