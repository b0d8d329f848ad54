import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { freeOn, useSmallDisks } from './small-disk.ts';
import { pause, ROOT, useProcesses } from './support.ts';

const processes = useProcesses();

const MB = 1_000_000;
const DISK_BYTES = 200 * 2 ** 20;
const LIMIT_BYTES = 50 * MB;
const disks = useSmallDisks();
const mountSmallDisk = (folder: string): boolean => disks.mount(folder, DISK_BYTES);

test('with a watermark of 0 publishers are blocked from the start, and consumers are not', async () => {
  const broker = await processes
    .spawn(['--port', '0', '--memory'], { LEVERET_VM_MEMORY_HIGH_WATERMARK_RELATIVE: '0' })
    .listening();
  const publisher = await processes.connect(broker);
  const reasons: string[] = [];
  publisher.on('blocked', (reason) => reasons.push(reason));
  const channel = await publisher.createChannel();
  await channel.assertQueue('q');
  channel.sendToQueue('q', Buffer.from('x'));
  await eventually(() => reasons.length === 1, 'connection.blocked');
  expect(reasons).toEqual(['low on memory']);
  const other = await processes.channel(broker);
  expect((await other.checkQueue('q')).messageCount).toBe(0);
  expect(await other.get('q')).toBe(false);
});

test('a fast fill stops at the limit of the disk, and goes on once messages are consumed', async (context) => {
  const disk = processes.folder();
  // Only root may mount, and not in every container.
  if (!mountSmallDisk(disk)) return context.skip('this user may not mount a small disk');
  const broker = await processes.start(join(disk, 'data'));
  const publisher = await processes.connect(broker);
  let blocked = 0;
  let unblocked = 0;
  publisher.on('blocked', () => {
    blocked += 1;
  });
  publisher.on('unblocked', () => {
    unblocked += 1;
  });
  const channel = await publisher.createConfirmChannel();
  await channel.assertQueue('q', { durable: true });
  const count = 4500;
  const body = Buffer.alloc(40_000, 'x');
  for (let i = 0; i < count; i++) {
    body.writeUInt32BE(i);
    channel.sendToQueue('q', Buffer.from(body), { persistent: true });
  }
  await eventually(() => blocked > 0, 'connection.blocked');
  await pause(500);
  expect(freeOn(disk)).toBeGreaterThan(LIMIT_BYTES - MB);
  expect(freeOn(disk)).toBeLessThan(LIMIT_BYTES + 80 * MB);

  const consumer = await processes.channel(broker);
  await consumer.prefetch(100);
  const seen = new Set<number>();
  let leastFree = Number.POSITIVE_INFINITY;
  await consumer.consume('q', (message) => {
    if (message === null) return;
    seen.add(message.content.readUInt32BE());
    leastFree = Math.min(leastFree, freeOn(disk));
    consumer.ack(message);
  });
  await channel.waitForConfirms();
  await eventually(() => seen.size === count, 'all messages');
  expect(unblocked).toBeGreaterThan(0);
  expect(leastFree).toBeGreaterThan(LIMIT_BYTES / 2 - MB);
  expect(broker.entries.some(({ msg }) => String(msg).startsWith('disk alarm:'))).toBe(true);
});

test('a disk that was full and holds nothing any more serves by itself, and is given back', async (context) => {
  const disk = processes.folder();
  if (!mountSmallDisk(disk)) return context.skip('this user may not mount a small disk');
  const data = join(disk, 'data');
  const args = ['--port', '0', '--data-dir', data];
  // No limit: the disk is filled to its end, and all room is inside the file afterwards.
  const env = { LEVERET_DISK_FREE_LIMIT_ABSOLUTE: '0' };
  let broker = await processes.spawn(args, env).listening();
  let publisher = await processes.connect(broker);
  let blocked = 0;
  const onBlocked = (): void => {
    blocked += 1;
  };
  publisher.on('blocked', onBlocked);
  let channel = await publisher.createConfirmChannel();
  await channel.assertQueue('q', { durable: true });
  const body = Buffer.alloc(40_000, 'x');
  // In portions: what one batch holds that does not fit any more is gone with the broker.
  let confirmed = 0;
  const count = (): void => {
    confirmed += 1;
  };
  for (let sent = 0; blocked === 0; sent += 200) {
    for (let n = 0; n < 200; n++) channel.sendToQueue('q', body, { persistent: true }, count);
    await eventually(() => blocked > 0 || confirmed === sent + 200, 'confirms, or a full disk');
  }
  await broker.end('SIGKILL');

  broker = await processes.spawn(args, env).listening();
  const consumer = await processes.channel(broker);
  const { messageCount } = await consumer.checkQueue('q');
  expect(messageCount * body.length).toBeGreaterThan(DISK_BYTES / 2);
  await consumer.purgeQueue('q');
  publisher = await processes.connect(broker);
  publisher.on('blocked', onBlocked);
  channel = await publisher.createConfirmChannel();
  // What was purged is let go of batch by batch. A publisher that is too quick is held meanwhile, goes on by itself,
  // and is held no more once all of it is room again.
  do {
    blocked = 0;
    for (let n = 0; n < 300; n++) channel.sendToQueue('q', body, { persistent: true });
    await channel.waitForConfirms();
    expect((await channel.checkQueue('q')).messageCount).toBe(300);
    await channel.purgeQueue('q');
  } while (blocked > 0);
  expect((await broker.end('SIGTERM')).code).toBe(0);

  const file = join(data, 'store', 'data.mdb');
  expect(statSync(file).size).toBeGreaterThan(DISK_BYTES / 2);
  const compact = [join(ROOT, 'bin', 'leveret'), 'compact', '--data-dir', data];
  const { status, stdout } = spawnSync(process.execPath, compact, { encoding: 'utf8' });
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/^Compacted the data in .* MiB now\n$/),
  ]);
  expect(statSync(file).size).toBeLessThan(4 * MB);
  broker = await processes.spawn(args, env).listening();
  expect((await (await processes.channel(broker)).checkQueue('q')).messageCount).toBe(0);
});
