// Owns a broker in which users made so many of each thing, with a context of the HTTP API to look at it. Never
// asks it anything.

import { connect } from 'amqplib';
import pino from 'pino';
import type { RunningBroker } from '../../src/boot/serve.ts';
import { startBroker } from '../../src/boot/start.ts';
import { View } from '../../src/broker/view.ts';
import { LiveSettings } from '../../src/config/live/live-settings.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import type { Context } from '../../src/management/context.ts';
import type { Connection } from '../../src/server/connection/connection.ts';
import type { Server } from '../../src/server/server.ts';
import { ServerView } from '../../src/server/view/server-view.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { KeptLines } from '../../src/util/log/kept-lines.ts';

const SILENT = pino({ level: 'silent' });
const ALL = { configure: '.*', write: '.*', read: '.*' };
/** One connection has no more channels than that. */
const CHANNELS_EACH = 500;

/** The user that has no tag but `management`, and a permission in each vhost. */
export const LOOKER = 'looker';

/** A broker with as many of everything. */
export class Crowd {
  readonly count: number;
  /** The name of the last channel of a connection that has many. */
  channel = '';
  private server: Server | null = null;
  private broker: RunningBroker | null = null;
  private readonly clients: { close(): Promise<void> }[] = [];

  constructor(count: number) {
    this.count = count;
  }

  async start(): Promise<void> {
    const settings = {
      ...defaultSettings(),
      tcpListeners: new Map([['default', { host: '127.0.0.1', port: 0 }]]),
      memory: true,
      // A look at deliveries that are late goes over all consumers of a channel, now and then.
      consumerTimeoutMs: Number.POSITIVE_INFINITY,
      managementPort: null,
      prometheusPort: null,
    };
    const prepare = (server: Server): void => {
      this.server = server;
    };
    const embedding = { clock: systemClock, access: {}, prepare };
    this.broker = await startBroker(settings, SILENT, embedding);
    const view = this.view();
    view.importDefinitions(this.definitions());
    await this.connect();
    const { streams } = view.localActor('operator', '/');
    const place = { kind: 'offset', offset: 0 } as const;
    for (let i = 0; i < this.count; i++) streams.setPlace('read', `g${i}`, place);
    await view.settled();
    // The store in memory sorts what was put when a range of it is read next: on a disk that is done by then.
    streams.publishers('read', '', 1);
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await this.broker?.close('the test is over');
  }

  /** What the HTTP API is given, with another clock. */
  context(clock: Clock): Context {
    const { peerGuard, broker, lines } = this.server as Server;
    return {
      view: this.view(),
      clock,
      log: SILENT,
      logLines: new KeptLines(clock),
      admitsLine: (kind) => lines.admits(kind),
      guard: peerGuard,
      cluster: null,
      pathPrefix: '',
      facts: {
        startedMs: 0,
        pid: 1,
        dataDir: null,
        socketMax: 1,
        openFiles: () => Promise.resolve(broker.vhosts.size),
        residentBytes: () => 1,
      },
      bodyBytesMax: 2 ** 20,
      allowedPages: { hosts: [], origins: [], machine: '' },
      plainWebSocket: false,
      statisticsIntervalMs: 5000,
      openProbes: false,
      ports: () => [],
      certificates: () => [],
      settings: LiveSettings.of(defaultSettings()),
      acceptAmqp: () => null,
      backup: null,
      delay: () => Promise.resolve(),
      repeat: () => {},
    };
  }

  /** The window, which sees as many connections as well: shadows of one that is there. */
  private view(): View {
    const server = this.server as Server;
    const open = new Set<Connection>(server.openConnections);
    const [, last] = [...open].slice(-2);
    for (let i = 0; last !== undefined && i < this.count; i++) {
      const name = { value: `shadow ${i}` };
      open.add(Object.create(last, { name }) as Connection);
    }
    const { broker, settings, addresses, certificates, turn, intake } = server;
    const around = {
      broker,
      settings,
      addresses,
      certificates,
      turn,
      intake,
      openConnections: open,
    };
    return new View(broker, '1.2.3', new ServerView(around));
  }

  private definitions(): object {
    const many = <T>(make: (i: number) => T): T[] =>
      Array.from({ length: this.count }, (_, i) => make(i));
    const vhost = '/';
    const lasting = { vhost, durable: true, auto_delete: false, arguments: {} };
    const bound = (destination: string, key: string): object => ({
      source: 'amq.direct',
      vhost,
      destination,
      destination_type: 'queue',
      routing_key: key,
      arguments: {},
    });
    const rule = { pattern: '^none$', 'apply-to': 'all', priority: 0 };
    const definition = { 'max-length': 5 };
    const limits = { 'max-queues': 100_000 };
    return {
      users: [
        ...many((i) => ({
          name: `u${i}`,
          password_hash: '',
          tags: '',
          limits: { 'max-channels': 9 },
        })),
        { name: LOOKER, password_hash: '', tags: 'management' },
        { name: 'alone', password_hash: '', tags: 'management' },
      ],
      vhosts: many((i) => ({ name: `v${i}` })),
      permissions: [
        ...many((i) => ({ user: `u${i}`, vhost, ...ALL })),
        ...many((i) => ({ user: LOOKER, vhost: `v${i}`, ...ALL })),
        { user: LOOKER, vhost, ...ALL },
      ],
      topic_permissions: [
        ...many((i) => ({ user: `u${i}`, vhost, exchange: 'amq.topic', ...ALL })),
        ...many((i) => ({ user: LOOKER, vhost, exchange: `x${i}`, ...ALL })),
      ],
      parameters: [
        ...many((i) => ({ vhost, component: 'federation-upstream-set', name: `n${i}`, value: [] })),
        ...many((i) => ({
          vhost,
          component: 'operator_policy',
          name: `o${i}`,
          value: { ...rule, 'apply-to': 'queues', definition },
        })),
        ...many((i) => ({
          vhost: `v${i}`,
          component: 'vhost-limits',
          name: 'limits',
          value: limits,
        })),
      ],
      global_parameters: many((i) => ({ name: `g${i}`, value: i })),
      policies: many((i) => ({ vhost, name: `p${i}`, definition, ...rule })),
      queues: [...many((i) => ({ ...lasting, name: `q${i}` })), { ...lasting, name: 'bound' }],
      exchanges: many((i) => ({ ...lasting, name: `x${i}`, type: 'direct', internal: false })),
      // A vhost may have so many.
      schedules: many((i) => ({ vhost, name: `s${i}`, every: 3_600_000 })).slice(-1000),
      bindings: [...many((i) => bound(`q${i}`, `q${i}`)), ...many((i) => bound('bound', `k${i}`))],
    };
  }

  private async connect(): Promise<void> {
    const { port } = (this.broker as RunningBroker).addresses[0] as { port: number };
    const open = async () => {
      const client = await connect({ port, username: 'guest', password: 'guest' });
      this.clients.push(client);
      return client;
    };
    const consuming = await (await open()).createChannel();
    await consuming.assertQueue('heard');
    const reading = await (await open()).createChannel();
    await reading.prefetch(1);
    await reading.assertQueue('read', { arguments: { 'x-queue-type': 'stream' } });
    await reading.consume('read', () => {}, { consumerTag: 'reader' });
    for (let i = 0; i < this.count; i += CHANNELS_EACH) {
      const client = await open();
      const some = Math.min(CHANNELS_EACH, this.count - i);
      await Promise.all(Array.from({ length: some }, () => client.createChannel()));
      await Promise.all(
        Array.from({ length: some }, (_, n) =>
          consuming.consume('heard', () => {}, { consumerTag: `t${i + n}` }),
        ),
      );
    }
    const channels = [...(this.server as Server).view.channels()];
    this.channel = channels[channels.length - 1]?.name ?? '';
    // The last one is what all the shadows are of: it has one channel.
    await (await open()).createChannel();
  }
}
