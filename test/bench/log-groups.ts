// Owns measuring how far several groups go on one cluster of NATS: what idle groups cost its servers, and what busy ones get. Each
// group is a log of three replicas with a lease, written as a leader does: the next batch once the last is acknowledged.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsLog } from '../../src/store/replicated/nats/client.ts';
import { openNatsLog } from '../../src/store/replicated/nats/open.ts';
import { NatsServers } from '../support/nats.ts';

const MIB = 2 ** 20;
const COUNTS = [1, 3, 10, 50];
const SECONDS = 10;
/** A batch of a broker under load, and one of a single confirm, bytes. */
const SIZES = [64 * 1024, 1024];
const RENEW_MS = 1000;

/** Measures, and prints a table. */
export async function measureLogGroups(): Promise<void> {
  console.log('groups  batch    MiB/s  batches/s  per group  p50 ms  p99 ms  servers CPU s/s');
  for (const count of COUNTS) {
    const servers = await NatsServers.start({ servers: 3 });
    const logs: NatsLog[] = [];
    try {
      for (let i = 0; i < count; i += 1) {
        const group = i === 0 ? 'main' : `g${i}`;
        logs.push(await openNatsLog(servers.place({ group, logBytesMax: 128 * MIB })));
      }
      const leases = renewing(logs);
      report(count, 'idle', 0, [], await watched(servers, () => sleep(SECONDS * 1000)));
      for (const bytes of SIZES) {
        const times: number[] = [];
        const cpu = await watched(servers, () => write(logs, bytes, times));
        report(count, `${bytes / 1024} KiB`, bytes, times, cpu);
      }
      await leases();
    } finally {
      await Promise.all(logs.map((log) => log.close()));
      await servers.stop();
    }
  }
}

/** Renews the lease of each group as its leader does; returns what ends that. */
function renewing(logs: readonly NatsLog[]): () => Promise<void> {
  let over = false;
  const all = logs.map(async ({ lease }) => {
    let revision = 0;
    while (!over) {
      revision = await lease.set(Buffer.from('n1'), revision);
      await sleep(RENEW_MS);
    }
  });
  return async () => {
    over = true;
    await Promise.all(all);
  };
}

/** Has each log written to for a while, one batch at a time; `times` gets how long each took, ms. */
async function write(logs: readonly NatsLog[], bytes: number, times: number[]): Promise<void> {
  const batch = [Buffer.alloc(bytes, 'x')];
  const endMs = performance.now() + SECONDS * 1000;
  await Promise.all(
    logs.map(async (log) => {
      let { last } = await log.state();
      const fits = Math.floor((100 * MIB) / bytes / logs.length);
      for (let n = 1; performance.now() < endMs; n += 1) {
        const beganMs = performance.now();
        last = await log.append(batch, last);
        times.push(performance.now() - beganMs);
        if (n % fits === 0) await log.purge(last);
      }
    }),
  );
}

/** Runs something; resolves with how many seconds of processor time the servers took for each second. */
async function watched(servers: NatsServers, run: () => Promise<void>): Promise<number> {
  const [before, beganMs] = [cpuSeconds(servers), performance.now()];
  await run();
  return (cpuSeconds(servers) - before) / ((performance.now() - beganMs) / 1000);
}

/** The processor time of the servers so far, s; on Linux, where a tick is 10 ms. */
function cpuSeconds({ pids }: NatsServers): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

function report(count: number, what: string, bytes: number, times: number[], cpu: number): void {
  times.sort((a, b) => a - b);
  const at = (part: number): string => (times[Math.floor(times.length * part)] ?? 0).toFixed(1);
  const rate = times.length / SECONDS;
  const cells = [
    String(count).padEnd(6),
    what.padEnd(7),
    ((rate * bytes) / MIB).toFixed(1).padStart(6),
    rate.toFixed(0).padStart(9),
    (rate / count).toFixed(0).padStart(9),
    at(0.5).padStart(6),
    at(0.99).padStart(6),
    cpu.toFixed(2).padStart(15),
  ];
  console.log(cells.join('  '));
}
