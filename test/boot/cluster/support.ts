// Owns whole nodes of a cluster in this process, over one log in memory. Never checks anything.

import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type ClusterLog, startMember } from '../../../src/boot/cluster/member.ts';
import type { RunningBroker } from '../../../src/boot/serve.ts';
import { type NodeAddress, type NodeRow, readNodeRow } from '../../../src/cluster/node-row.ts';
import { PeerClient } from '../../../src/cluster/peers/peer-client.ts';
import { peerKey } from '../../../src/cluster/peers/peer-key.ts';
import { LiveSettings } from '../../../src/config/live/live-settings.ts';
import { defaultSettings, type Settings } from '../../../src/config/settings.ts';
import type { LogFacts, Presence } from '../../../src/store/replicated/log-client.ts';
import { writeProxyLine } from '../../../src/util/proxy/proxy-line.ts';
import { MemoryLogClient, SharedLog } from '../../store/replicated/memory-log-client.ts';

const SECRET = '0123456789abcdef';

type Listener = (part: string, bytes: Buffer) => void;

/** What all nodes share: the log, the machines that seem to keep it, and what nodes tell one another. */
class Shared {
  readonly log: SharedLog;
  readonly listeners = new Set<Listener>();
  /** Which of the machines have all of the log. */
  current = [true, true, true];

  constructor(id?: string) {
    this.log = new SharedLog(id);
  }
}

class MemoryClusterLog extends MemoryLogClient implements ClusterLog {
  private readonly shared: Shared;
  readonly allGroups: Presence;
  /** Whether it is cut off from all others. */
  cut = false;

  constructor(shared: Shared, listeners: Set<Listener>) {
    super(shared.log, (call) => (this.cut ? call.lose() : call.pass()));
    this.shared = shared;
    this.allGroups = {
      tell: (part, bytes) => {
        if (!this.cut) for (const listener of listeners) listener(part, bytes);
      },
      onTold: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
  }

  tell(part: string, bytes: Buffer): void {
    if (!this.cut) for (const listener of this.shared.listeners) listener(part, bytes);
  }

  onTold(listener: Listener): () => void {
    this.shared.listeners.add(listener);
    return () => this.shared.listeners.delete(listener);
  }

  facts(): Promise<LogFacts> {
    const replicas = this.shared.current.map((current, i) => ({
      name: `m${i}`,
      current,
      lag: current ? 0 : 7,
    }));
    return Promise.resolve({ server: 'm0', version: '2', leader: 'm1', replicas, syncs: true });
  }
}

/** An answer of the HTTP API. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  // Answers have any shape: tests say which they expect.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly json: any;
}

/** A node that runs. */
export class TestNode {
  readonly name: string;
  readonly client: ClusterLog & { cut: boolean };
  readonly broker: RunningBroker;
  readonly dataDir: string;
  private readonly live: LiveSettings;

  constructor(
    name: string,
    client: ClusterLog & { cut: boolean },
    broker: RunningBroker,
    live: LiveSettings,
  ) {
    this.live = live;
    this.dataDir = live.settings.dataDir;
    this.name = name;
    this.client = client;
    this.broker = broker;
  }

  /** The port of a listener, such as `management.tcp`; undefined: it has none now. */
  port(key: string): number | undefined {
    return this.broker.addresses.find((each) => each.key === key)?.port;
  }

  /** How many follow changes of its settings. */
  get followedSettings(): number {
    return (this.live as unknown as { followers: Set<unknown> }).followers.size;
  }

  /** The node that leads, as this one knows without asking it. */
  async leads(): Promise<string | undefined> {
    const { json } = await this.call('GET', '/health/checks/is-in-service', '');
    return /lead: (\S+) does/.exec(json.reason ?? '')?.[1];
  }

  url(key = 'management.tcp'): string {
    return `http://127.0.0.1:${this.port(key)}`;
  }

  /** Calls a path below /api. */
  async call(method: string, path: string, user = 'guest:guest', body?: object): Promise<Answer> {
    const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    const response = await fetch(`${this.url()}/api${path}`, {
      method,
      // A node may close one that was not used for a while in the very moment that it is used again.
      headers: { connection: 'close', ...(user === '' ? {} : { authorization }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, text, json: isJson ? JSON.parse(text) : undefined };
  }
}

/** A cluster with its nodes. */
export class TestCluster {
  readonly nodes: TestNode[] = [];
  private readonly shared: Shared;
  /** What is told among all groups. */
  private readonly listeners: Set<Listener>;
  /** What each node has told of itself last. */
  readonly rows = new Map<string, NodeRow>();
  private readonly folder = mkdtempSync(join(tmpdir(), 'leveret-cluster-'));

  /** `beside`: another group of the same cluster; left out: there is none. */
  constructor(beside?: TestCluster, id?: string) {
    this.shared = new Shared(id);
    this.listeners = beside?.listeners ?? new Set();
    // Copies are checked by a process of the program that runs.
    process.argv[1] = join(import.meta.dirname, '../../../bin/leveret');
    this.shared.listeners.add((_part, bytes) => {
      const row = readNodeRow(bytes);
      if (row !== null) this.rows.set(row.node, row);
    });
  }

  get log(): SharedLog {
    return this.shared.log;
  }

  /** Which of the machines of the log have all of it. */
  set current(current: boolean[]) {
    this.shared.current = current;
  }

  /** Another side of the log, as that of a program that is no node. */
  client(): MemoryLogClient {
    return new MemoryClusterLog(this.shared, this.listeners);
  }

  /** The settings of a node. */
  settings(name: string, changes: Partial<Settings> = {}): Settings {
    return {
      ...defaultSettings(),
      nodeName: `leveret@${name}`,
      dataDir: join(this.folder, name),
      tcpListeners: new Map([['default', { host: '127.0.0.1', port: 0 }]]),
      managementPort: 0,
      prometheusPort: 0,
      clusterLog: 'nats',
      clusterName: 'shop',
      clusterNode: name,
      // So long that no machine is too slow for it: nodes give the lead away when a test wants them to.
      clusterLeaseMs: 60_000,
      clusterRenewMs: 500,
      ...changes,
    };
  }

  /** Starts a node, which follows then. */
  async start(name: string, changes: Partial<Settings> = {}): Promise<TestNode> {
    const settings = this.settings(name, changes);
    const client = new MemoryClusterLog(this.shared, this.listeners);
    const live = LiveSettings.of(settings);
    const key = await peerKey(SECRET);
    const logger = pino({ level: 'silent' });
    const broker = await startMember(live, client, key, logger);
    const node = new TestNode(name, client, broker, live);
    this.nodes.push(node);
    return node;
  }

  /** A connection to the HTTP API of the leader, as a node hands on one of a client with this address. */
  async openAs(by: TestNode, peerHost: string, leader: TestNode): Promise<Socket> {
    const { name } = leader;
    const at = this.rows.get(name)?.peers as NodeAddress;
    const key = await peerKey(SECRET);
    const peer = new PeerClient({ name, ...at, key, node: by.name });
    const socket = await peer.open('http');
    const ends = { peerHost, peerPort: 9, host: '127.0.0.1', port: 15672, tls: null };
    socket.write(writeProxyLine(ends) as Buffer);
    return socket;
  }

  /** The node that leads, once one does that serves clients. */
  async leader(): Promise<TestNode> {
    for (;;) {
      const found = this.nodes.find((node) => node.port('listeners.tcp.default') !== undefined);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ broker }) => broker.close('the test is over')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The log of the second of two groups. */
const OTHER_LOG = 'fedcba9876543210fedcba9876543210';

/** Another group of the cluster of `main`, which has a node that leads; its node leads and knows the users of `main`, too. */
export async function startJobs(main: TestCluster): Promise<{ jobs: TestCluster; j1: TestNode }> {
  const jobs = new TestCluster(main, OTHER_LOG);
  const j1 = await jobs.start('j1', { clusterGroup: 'jobs' });
  await jobs.leader();
  while ((await j1.call('GET', '/whoami')).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { jobs, j1 };
}
