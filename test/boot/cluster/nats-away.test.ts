// A node that leads over servers of NATS which let it in no longer: it confirms nothing, says why once, and goes on later.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { startClustered } from '../../../src/boot/cluster/start.ts';
import { LiveSettings } from '../../../src/config/live/live-settings.ts';
import { defaultSettings } from '../../../src/config/settings.ts';
import { endpointOf, RawConnection } from '../../support/amqp-raw.ts';
import { NATS_SERVER, NatsServers } from '../../support/nats.ts';

const PASSWORD = 'hush-hush-password';
const PATIENCE = { timeout: 120_000, interval: 200 };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const users = (password: string): string =>
  `authorization { users: [{ user: leveret, password: "${password}" }] }`;

describe.skipIf(NATS_SERVER === null)('a leader whose login is refused', () => {
  test('confirms nothing, says why once, and goes on once it is let in', async () => {
    const servers = await NatsServers.start({ more: users(PASSWORD) });
    ends.push(() => servers.stop());
    const dataDir = mkdtempSync(join(tmpdir(), 'leveret-away-'));
    ends.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const lines: { level: number; msg: string; why?: string }[] = [];
    const write = (line: string): void => {
      expect(line).not.toContain(PASSWORD);
      lines.push(JSON.parse(line));
    };
    const live = LiveSettings.of({
      ...defaultSettings(),
      dataDir: join(dataDir, 'n1'),
      tcpListeners: new Map([['default', { host: '127.0.0.1', port: 0 }]]),
      managementPort: 0,
      prometheusPort: 0,
      clusterLog: 'nats',
      clusterName: 'shop',
      clusterNode: 'n1',
      clusterNatsServers: servers.addresses,
      clusterNatsMonitor: servers.monitors,
      clusterNatsUser: 'leveret',
      clusterNatsPassword: PASSWORD,
      clusterReplicas: 1,
      clusterLogBytesMax: 2 ** 26,
      clusterSnapshotBytes: 2 ** 24,
      clusterLeaseMs: 2000,
      clusterRenewMs: 200,
    });
    const broker = await startClustered(live, pino({ level: 'info' }, { write }));
    ends.push(() => broker.close('the test is over'));
    let failure: Error | null = null;
    void broker.failed.then((error) => {
      failure = error;
    });
    const serves = (): boolean =>
      broker.addresses.some(({ key }) => key === 'listeners.tcp.default');
    await expect.poll(serves, PATIENCE).toBe(true);
    const port = broker.addresses.find(({ key }) => key === 'listeners.tcp.default')?.port;
    const raw = await RawConnection.dial(endpointOf(`amqp://127.0.0.1:${port}`));
    await raw.open();
    await raw.openChannel(1);
    await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
    await raw.call(1, 'confirm.select');
    servers.more = users('another');
    await servers.kill(0);
    await servers.restart(0);
    const whys = (): string[] =>
      lines
        .filter(({ msg }) => msg === 'the log of the cluster does not answer')
        .map(({ why }) => why ?? '');
    await expect
      .poll(() => whys().join(), PATIENCE)
      .toContain('see cluster.nats.user and cluster.nats.password');
    // What is published now is confirmed once the servers have it.
    raw.publish(1, { routingKey: 'q' }, { deliveryMode: 2 }, Buffer.from('x'));
    servers.more = users(PASSWORD);
    await servers.kill(0);
    await servers.restart(0);
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
    await raw.close();
    await expect
      .poll(() => lines.map(({ msg }) => msg), PATIENCE)
      .toContain('the log of the cluster answers again');
    expect(failure).toBeNull();
    expect(whys()).toHaveLength(new Set(whys()).size);
    // Nothing else repeats itself meanwhile.
    const warnings = lines
      .filter(({ level }) => level === 40)
      .map(({ msg, why }) => `${msg} ${why}`);
    expect(warnings.length).toBeLessThan(12);
  });
});
