import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Alarms } from '../../../src/broker/core/alarms.ts';
import { defaultSettings } from '../../../src/config/settings.ts';
import type { Machine } from '../../../src/server/backpressure/machine.ts';
import {
  DISK_FREE_LIMIT_BYTES,
  ResourceMonitor,
  type ResourceSettings,
} from '../../../src/server/backpressure/resource-monitor.ts';
import { TimerWheel } from '../../../src/util/timers.ts';
import { FakeClock } from '../support.ts';

const MB = 1_000_000;

/** A watch over a machine, a disk and a flow of messages that the test makes up. */
class Scene implements Machine {
  readonly memoryTotal = 1000 * MB;
  readonly socketMax = 1000;
  inUse = 0;
  /** What collecting garbage gives back. */
  garbage = 0;
  free = 1000 * MB;
  broken = false;
  readonly logSpace = { used: 0, max: 0 };
  asked = 0;
  collected = 0;
  readonly alarms = new Alarms();
  readonly flow = {
    receivingBytes: 0,
    unsealedBytes: 0,
    sealedBytes: 0,
    durableBytes: 0,
    spillingBytes: 0,
    reusableBytes: 0,
    unappliedBytes: 0,
  };
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly lines: { level: number; msg: string }[] = [];
  changes = 0;
  readonly watch: ResourceMonitor;

  constructor(settings: Partial<ResourceSettings> = {}) {
    const log = pino(
      { base: null },
      { write: (line: string) => this.lines.push(JSON.parse(line)) },
    );
    const all = { ...defaultSettings(), ...settings };
    const changed = (): void => {
      this.changes += 1;
    };
    const { alarms, flow: inFlight, logSpace, wheel, clock } = this;
    const parts = { machine: this, alarms, inFlight, logSpace, wheel, clock, log, changed };
    this.watch = new ResourceMonitor(all, { ...parts, stillOn: () => {} });
  }

  memoryInUse(): number {
    return this.inUse;
  }

  diskFree(): Promise<number> {
    this.asked += 1;
    if (this.broken) return Promise.reject(new Error('no such disk'));
    return Promise.resolve(this.free);
  }

  collectGarbage(): void {
    this.collected += 1;
    this.inUse -= this.garbage;
    this.garbage = 0;
  }

  async pass(ms: number): Promise<void> {
    this.clock.nowMs += ms;
    this.wheel.advance();
    await this.answered();
  }

  /** Lets the answers to questions about the disk come in. */
  async answered(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

async function started(settings: Partial<ResourceSettings> = {}): Promise<Scene> {
  const scene = new Scene(settings);
  scene.watch.start();
  await scene.answered();
  return scene;
}

test.each<[Partial<ResourceSettings>, number]>([
  [{}, 400 * MB],
  [{ memoryWatermark: 0.7 }, 700 * MB],
  [{ memoryWatermarkBytes: 123 * MB, memoryWatermark: 0.7 }, 123 * MB],
  [{ memoryWatermarkBytes: 9999 * MB }, 1000 * MB],
  [{ memoryTotalBytes: 500 * MB }, 200 * MB],
  [{ memoryWatermark: 0 }, 0],
])('the limit of memory follows from the settings: %o', (settings, limit) => {
  expect(new Scene(settings).alarms.memory.limit).toBe(limit);
});

test.each<[Partial<ResourceSettings>, number]>([
  [{}, 50 * MB],
  [{ diskFreeLimitBytes: 70 * MB }, 70 * MB],
  [{ diskFreeLimitRelative: 1.5 }, 1500 * MB],
  [{ diskFreeLimitBytes: 70 * MB, diskFreeLimitRelative: 1.5 }, 70 * MB],
])('the limit of the disk follows from the settings: %o', (settings, limit) => {
  expect(new Scene(settings).alarms.disk.limit).toBe(limit);
});

test('the default of the disk limit is the one that gives way to a relative limit', () => {
  expect(defaultSettings().diskFreeLimitBytes).toBe(DISK_FREE_LIMIT_BYTES);
});

describe('the log of a cluster', () => {
  test('an alarm comes on at four fifths of it, and goes once a tenth more is free', async () => {
    const scene = await started();
    expect(scene.alarms.log).toMatchObject({ alarm: false, limit: Number.POSITIVE_INFINITY });
    Object.assign(scene.logSpace, { used: 799 * MB, max: 1000 * MB });
    await scene.pass(2600);
    expect(scene.alarms.log).toMatchObject({ alarm: false, now: 799 * MB, limit: 800 * MB });
    scene.logSpace.used = 800 * MB;
    await scene.pass(2600);
    expect(scene.alarms.reason).toBe('low on log');
    scene.logSpace.used = 701 * MB;
    await scene.pass(2600);
    expect(scene.alarms.on).toBe(true);
    scene.logSpace.used = 699 * MB;
    await scene.pass(2600);
    expect(scene.alarms.on).toBe(false);
    expect(scene.changes).toBe(2);
    expect(scene.lines.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^log alarm: .*cluster\.log_bytes_max/),
      expect.stringMatching(/^log alarm is off/),
    ]);
  });

  test('the nearer it is, the sooner the next look comes', async () => {
    const scene = await started();
    Object.assign(scene.logSpace, { used: 796 * MB, max: 1000 * MB });
    await scene.pass(2600);
    scene.logSpace.used = 801 * MB;
    scene.watch.bytesRead(2 * MB);
    expect(scene.alarms.on).toBe(true);
  });
});

describe('memory', () => {
  test('an alarm comes on at the limit, and goes when clearly less is in use', async () => {
    const scene = await started();
    scene.inUse = 400 * MB;
    await scene.pass(2600);
    expect(scene.alarms.memory.alarm).toBe(true);
    scene.inUse = 390 * MB;
    await scene.pass(2600);
    expect(scene.alarms.memory.alarm).toBe(true);
    scene.inUse = 379 * MB;
    await scene.pass(2600);
    expect(scene.alarms.memory.alarm).toBe(false);
    expect(scene.changes).toBe(2);
    expect(scene.lines.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^memory alarm: .*vm_memory_high_watermark/),
      expect.stringMatching(/^memory alarm is off/),
    ]);
  });

  test('what is only garbage raises no alarm', async () => {
    const scene = await started();
    scene.inUse = 450 * MB;
    scene.garbage = 200 * MB;
    await scene.pass(2600);
    expect(scene.changes).toBe(0);
    expect(scene.inUse).toBe(250 * MB);
  });

  test('garbage is collected as often as it pays, and seldom where it does not', async () => {
    const scene = await started();
    for (let i = 0; i < 5; i++) {
      scene.inUse = 450 * MB;
      scene.garbage = 200 * MB;
      scene.watch.bytesRead(100 * MB);
    }
    expect(scene.changes).toBe(0);
    expect(scene.collected).toBe(5);
    scene.inUse = 450 * MB;
    for (let i = 0; i < 5; i++) scene.watch.bytesRead(100 * MB);
    expect(scene.alarms.memory.alarm).toBe(true);
    expect(scene.collected).toBe(6);
  });

  test('it is looked at before what is left can be used up', async () => {
    const scene = await started();
    scene.inUse = 350 * MB;
    await scene.pass(2600);
    for (let read = 0; read < 60 * MB && !scene.alarms.memory.alarm; read += 100_000) {
      scene.inUse += 100_000;
      scene.watch.bytesRead(100_000);
    }
    expect(scene.alarms.memory.alarm).toBe(true);
    expect(scene.alarms.memory.now).toBeLessThan(402 * MB);
  });

  test('a limit of 0 blocks at all times', async () => {
    const scene = await started({ memoryWatermark: 0 });
    expect(scene.alarms.memory.alarm).toBe(true);
  });
});

describe('the disk', () => {
  test('an alarm comes on below the limit, and goes when clearly more is free', async () => {
    const scene = await started();
    scene.free = 49 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(true);
    scene.free = 54 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(true);
    scene.free = 56 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(false);
    expect(scene.lines[0]?.msg).toMatch(/^disk alarm: .*disk_free_limit/);
  });

  test('a fast fill never gets below the limit, however late the disk writes', async () => {
    const scene = await started();
    const { flow } = scene;
    let read = 0;
    while (!scene.alarms.disk.alarm) {
      // Each turn reads 256 KiB; a batch takes 40 turns to reach the disk.
      read += 262_144;
      flow.unsealedBytes = 262_144;
      flow.sealedBytes = read - 262_144;
      flow.durableBytes = Math.max(0, read - 40 * 262_144);
      scene.free = 1000 * MB - flow.durableBytes;
      scene.watch.bytesRead(262_144);
      await scene.answered();
    }
    // All that was read is written in the end.
    expect(1000 * MB - read).toBeGreaterThan(50 * MB);
    expect(1000 * MB - read).toBeLessThan(300 * MB);
  });

  test('what one message becomes in many queues counts, not what came in', async () => {
    const scene = await started();
    const { flow } = scene;
    let stored = 0;
    while (!scene.alarms.disk.alarm) {
      // Nothing is sealed meanwhile: a commit takes long.
      stored += 5 * MB;
      flow.unsealedBytes = stored;
      scene.watch.bytesRead(10_000);
      await scene.answered();
    }
    expect(stored).toBeLessThan(950 * MB);
  });

  test('an alarm lasts for a while, so that it does not flutter', async () => {
    const scene = await started();
    scene.free = 1;
    await scene.pass(2600);
    scene.free = 1000 * MB;
    await scene.pass(600);
    expect(scene.alarms.disk.alarm).toBe(true);
    for (let i = 0; i < 3; i++) await scene.pass(600);
    expect(scene.alarms.disk.alarm).toBe(false);
  });

  test('bodies that are still coming in count as written', async () => {
    const scene = await started();
    scene.flow.receivingBytes = 800 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(true);
  });

  test('what the log has before the tables counts as needed, as it was when the disk was looked at', async () => {
    const scene = await started();
    scene.free = 500 * MB;
    scene.flow.unappliedBytes = 10 * MB;
    await scene.pass(2600);
    // Twice: the tables store whole pages, and the path to each of them anew.
    expect(scene.alarms.disk.now).toBe(480 * MB - 2 ** 20);
    scene.flow.unappliedBytes = 0;
    await scene.pass(2600);
    expect(scene.alarms.disk.now).toBe(500 * MB);
  });

  test('room inside the file counts but for a reserve, though nothing is free outside', async () => {
    const scene = await started();
    scene.free = 0;
    scene.flow.reusableBytes = 500 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(false);
    expect(scene.alarms.disk.now).toBe((500 * MB * 7) / 8);
    scene.flow.reusableBytes = 60 * MB;
    await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(true);
  });

  test.each([0, 10 * MB])(
    'an alarm with a limit of %i does not flap with what is on its way',
    async (limit) => {
      const scene = await started({ diskFreeLimitBytes: limit });
      scene.free = limit;
      scene.flow.unsealedBytes = MB;
      await scene.pass(2600);
      expect(scene.alarms.disk.alarm).toBe(true);
      scene.flow.unsealedBytes = 0;
      scene.free = limit + MB;
      await scene.pass(2600);
      expect(scene.alarms.disk.alarm).toBe(true);
      scene.free = limit + 5 * MB;
      await scene.pass(2600);
      expect(scene.alarms.disk.alarm).toBe(false);
      expect(scene.changes).toBe(2);
    },
  );

  test('one that cannot be read blocks nobody, and is said once', async () => {
    const scene = await started();
    scene.free = 1;
    await scene.pass(2600);
    scene.broken = true;
    for (let i = 0; i < 3; i++) await scene.pass(2600);
    expect(scene.alarms.disk.alarm).toBe(false);
    expect(scene.lines.filter(({ level }) => level >= 50)).toHaveLength(1);
  });

  test('it is asked once at a time', async () => {
    const scene = await started();
    scene.free = 60 * MB;
    await scene.pass(2600);
    const before = scene.asked;
    for (let i = 0; i < 50; i++) scene.watch.bytesRead(1_000_000);
    expect(scene.asked).toBe(before + 1);
    await scene.answered();
    expect(scene.asked).toBe(before + 2);
  });
});
