import { afterEach, describe, expect, it } from 'vitest';
import {
  type LogClient,
  RefusedError,
  UnansweredError,
} from '../../../../src/store/replicated/log-client.ts';
import type { NatsLog } from '../../../../src/store/replicated/nats/client.ts';
import { openNatsLog } from '../../../../src/store/replicated/nats/open.ts';
import { NATS_SERVER, type NatsOptions, NatsServers } from '../../../support/nats.ts';
import { KeepingReader, range } from '../log-client-contract.ts';

describe.skipIf(NATS_SERVER === null)('servers of NATS that fail', () => {
  const logs: NatsLog[] = [];
  let servers: NatsServers | null = null;
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close();
    await servers?.stop();
    servers = null;
  });

  async function start(options: NatsOptions): Promise<NatsServers> {
    servers = await NatsServers.start(options);
    return servers;
  }

  async function open(all: NatsServers): Promise<NatsLog> {
    const log = await openNatsLog(all.place());
    logs.push(log);
    return log;
  }

  /** Appends `r<place>` behind the end of the log, whatever that takes; returns its place. */
  async function appendOnce(log: LogClient, text: string): Promise<number> {
    for (let previous = -1; ; ) {
      try {
        if (previous < 0) previous = (await log.state()).last;
        return await log.append([Buffer.from(text)], previous);
      } catch (error) {
        if (!(error instanceof UnansweredError || error instanceof RefusedError)) throw error;
        // It may be there: then it is not sent again.
        const there = previous < 0 ? null : await log.read(previous + 1).catch(() => null);
        if (there?.toString() === text) return previous + 1;
        previous = -1;
      }
    }
  }

  /** Appends records, though the servers may be choosing a leader. */
  async function fillAnyway(log: LogClient, from: number, to: number): Promise<void> {
    for (const seq of range(from, to)) expect(await appendOnce(log, `r${seq}`)).toBe(seq);
  }

  /** Tries until something is done, however long the servers take to choose a leader. */
  async function patiently<T>(run: () => Promise<T>): Promise<T> {
    let value: T | null = null;
    await expect
      .poll(async () => {
        value = await run().catch((error) => {
          if (error instanceof UnansweredError) return null;
          throw error;
        });
        return value !== null;
      })
      .toBe(true);
    return value as T;
  }

  it('keeps three copies, of which it says how they are', async () => {
    const all = await start({ servers: 3 });
    const opened = await Promise.all([open(all), open(all), open(all)]);
    const ids = await Promise.all(opened.map(async (each) => (await each.state()).id));
    expect(new Set(ids).size).toBe(1);
    const log = opened[0] as NatsLog;
    await fillAnyway(log, 1, 20);
    const { leader, replicas, syncs } = await patiently(() => log.facts());
    expect(replicas.map(({ name }) => name).sort()).toEqual(['n0', 'n1', 'n2']);
    expect(replicas.map(({ name }) => name)).toContain(leader);
    expect(syncs).toBe(true);
    const follower = all.numbered(replicas.find(({ name }) => name !== leader)?.name as string);
    await all.kill(follower);
    await expect
      .poll(async () => {
        const { replicas: now } = await patiently(() => log.facts());
        return now.filter(({ current }) => !current).map(({ name }) => name);
      })
      .toEqual([`n${follower}`]);
  });

  it('goes on where the server is killed that orders the records', async () => {
    const all = await start({ servers: 3 });
    const log = await open(all);
    const reader = new KeepingReader();
    (await open(all)).follow(1, reader);
    await fillAnyway(log, 1, 20);
    const { leader } = await patiently(() => log.facts());
    await all.kill(all.numbered(leader));
    await fillAnyway(log, 21, 40);
    await expect.poll(() => reader.entered.length).toBe(40);
    expect(reader.places).toEqual(range(1, 40));
    expect(reader.texts).toEqual(range(1, 40).map((seq) => `r${seq}`));
    // The one that was killed gets what it has missed, and can order records again.
    await all.restart(all.numbered(leader));
    await expect
      .poll(async () => (await patiently(() => log.facts())).replicas.every((each) => each.current))
      .toBe(true);
    await fillAnyway(log, 41, 45);
    await expect.poll(() => reader.places).toEqual(range(1, 45));
  });

  it('does not answer without most of the servers, and goes on with them', async () => {
    const all = await start({ servers: 3 });
    const log = await open(all);
    await fillAnyway(log, 1, 3);
    await all.kill(1);
    await all.kill(2);
    await expect(log.append([Buffer.from('x')], 3)).rejects.toThrow(UnansweredError);
    await all.restart(1);
    const { last } = await patiently(() => log.state());
    // What was not answered may be there, and may come yet.
    expect([3, 4]).toContain(last);
    await appendOnce(log, 'y');
    const reader = new KeepingReader();
    log.follow(1, reader);
    await expect.poll(() => reader.texts).toContain('y');
    expect(reader.texts.slice(0, 3)).toEqual(['r1', 'r2', 'r3']);
  });

  it('connects again to a server that was away, and follows on', async () => {
    const all = await start({ servers: 1 });
    const log = await open(all);
    const { id } = await log.state();
    const reader = new KeepingReader();
    log.follow(1, reader);
    await fillAnyway(log, 1, 5);
    await all.kill(0);
    await expect(log.append([Buffer.from('x')], 5)).rejects.toThrow(UnansweredError);
    await expect(log.state()).rejects.toThrow(UnansweredError);
    await expect(log.lease.look()).rejects.toThrow(UnansweredError);
    await expect(log.facts()).rejects.toThrow(UnansweredError);
    log.tell('n1', Buffer.from('is dropped'));
    await all.restart(0);
    expect(await patiently(() => log.state())).toMatchObject({ id, first: 1, last: 5 });
    await fillAnyway(log, 6, 9);
    await expect.poll(() => reader.places).toEqual(range(1, 9));
  });

  it('refuses servers that do not sync, unless that is allowed', async () => {
    const all = await start({ syncs: false });
    await expect(openNatsLog(all.place())).rejects.toThrow('does not sync its disk');
    const log = await openNatsLog(all.place({ requireSync: false }));
    logs.push(log);
    expect(log.warnings.join()).toContain('does not sync its disk');
    expect((await log.facts()).syncs).toBe(false);
  });
});
