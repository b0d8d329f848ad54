// Owns servers of NATS for tests: one, or a cluster of three, on free ports and in a folder of their own, each of which can
// be killed and started again. Never knows what is kept on them.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type NatsPlace, NO_LOGIN } from '../../src/store/replicated/nats/place.ts';
import { PATIENCE_MS } from './patience.ts';

const AGAIN_MS = 50;
/** How often a start is tried whose ports another process has taken meanwhile. */
const TRIES = 5;

/** The program, or null: there is none here. Version 2.10.23 or later, which knows `sync_interval: always`. */
export const NATS_SERVER = findServer();

function findServer(): string | null {
  const named = process.env['NATS_SERVER'];
  const places = [
    ...(process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'nats-server')),
    '/opt/nats/nats-server',
    join(homedir(), 'go/bin/nats-server'),
  ];
  return (named === undefined ? places : [named]).find(isGood) ?? null;
}

function isGood(file: string): boolean {
  if (!existsSync(file)) return false;
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' });
  const [major, minor] = (/v(\d+)\.(\d+)\./.exec(stdout ?? '') ?? []).slice(1).map(Number);
  return major === 2 && (minor as number) >= 10;
}

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly cluster: number;
}

/** How servers are set. */
export interface NatsOptions {
  /** 1 or 3. */
  readonly servers?: number;
  /** Whether they sync before they acknowledge. */
  readonly syncs?: boolean;
  /** Lines of their configuration besides, such as who may log in. */
  readonly more?: string;
}

/** Servers that run. */
export class NatsServers {
  private readonly folder = mkdtempSync(join(tmpdir(), 'leveret-nats-'));
  private readonly syncs: boolean;
  /** Lines of their configuration besides, from the next start of each on. */
  more: string;
  private ports: readonly Ports[] = [];
  private children: (ChildProcess | null)[] = [];

  private constructor(syncs: boolean, more: string) {
    this.syncs = syncs;
    this.more = more;
  }

  /** Starts servers; resolves once they take requests for streams. */
  static async start({
    servers = 1,
    syncs = true,
    more = '',
  }: NatsOptions = {}): Promise<NatsServers> {
    for (let tried = 1; ; tried += 1) {
      const all = new NatsServers(syncs, more);
      all.ports = await freePorts(servers);
      all.children = all.ports.map(() => null);
      try {
        for (const i of all.ports.keys()) all.launch(i);
        await all.ready();
        return all;
      } catch (error) {
        await all.stop();
        if (tried === TRIES) throw error;
      }
    }
  }

  /** The addresses of the servers. */
  get addresses(): string[] {
    return this.ports.map(({ client }) => `127.0.0.1:${client}`);
  }

  get monitors(): string[] {
    return this.ports.map(({ monitor }) => `127.0.0.1:${monitor}`);
  }

  /** The processes of those that run. */
  get pids(): number[] {
    return this.children.flatMap((child) => child?.pid ?? []);
  }

  /** A place on these servers. */
  place(more: Partial<NatsPlace> = {}): NatsPlace {
    return {
      servers: this.addresses,
      login: NO_LOGIN,
      tls: null,
      cluster: 'test',
      group: 'main',
      secretOf: 'main',
      node: 'n1',
      replicas: this.ports.length,
      logBytesMax: 2 ** 30,
      monitor: this.monitors,
      requireSync: true,
      ...more,
    };
  }

  /** The number of the server with a name. */
  numbered(name: string): number {
    return Number(name.slice(1));
  }

  /** Kills a server as a loss of power would; resolves once it is gone. */
  async kill(i: number): Promise<void> {
    const child = this.children[i] ?? null;
    this.children[i] = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts a server again that was killed, on its folder and ports; resolves once it takes connections. */
  async restart(i: number): Promise<void> {
    this.launch(i);
    await this.until(async () => (await this.healthy(i)) || this.relaunched(i));
  }

  /** Kills all, and removes their folder. */
  async stop(): Promise<void> {
    await Promise.all(this.children.map((_, i) => this.kill(i)));
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts a server once more where it has ended: its port may have been in use for a moment. */
  private relaunched(i: number): false {
    if (this.children[i]?.exitCode !== null) this.launch(i);
    return false;
  }

  private launch(i: number): void {
    const file = join(this.folder, `n${i}.conf`);
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(file, this.configuration(i));
    const child = spawn(NATS_SERVER as string, ['-c', file, '-l', join(this.folder, `n${i}.log`)]);
    this.children[i] = child;
  }

  private configuration(i: number): string {
    const { client, monitor, cluster } = this.ports[i] as Ports;
    const routes = this.ports.map((each) => `nats://127.0.0.1:${each.cluster}`).join(', ');
    const lines = [
      `server_name: n${i}`,
      `listen: 127.0.0.1:${client}`,
      `http: 127.0.0.1:${monitor}`,
      `jetstream { store_dir: "${join(this.folder, `js${i}`)}", max_file_store: 8GB${this.syncs ? ', sync_interval: always' : ''} }`,
    ];
    if (this.ports.length > 1) {
      lines.push(
        `cluster { name: test, listen: 127.0.0.1:${cluster}, routes: [${routes}], pool_size: -1 }`,
      );
    }
    return `${[...lines, this.more].join('\n')}\n`;
  }

  private async ready(): Promise<void> {
    await this.until(async () => {
      const ended = this.children.some((each) => each?.exitCode !== null);
      if (ended) throw new Error('a nats-server has ended');
      const all = await Promise.all(this.ports.map((_, i) => this.healthy(i)));
      return all.every(Boolean);
    });
  }

  private async healthy(i: number): Promise<boolean> {
    try {
      return (await fetch(`http://${this.monitors[i]}/healthz`)).ok;
    } catch {
      return false;
    }
  }

  private async until(condition: () => Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; !(await condition()); waitedMs += AGAIN_MS) {
      if (waitedMs > PATIENCE_MS) throw new Error('a nats-server has not become ready');
      await setTimeout(AGAIN_MS);
    }
  }
}

/** Ports that were free a moment ago, three for each server. */
async function freePorts(servers: number): Promise<Ports[]> {
  const listening = await Promise.all(Array.from({ length: servers * 3 }, listen));
  const numbers = listening.map((server) => (server.address() as { port: number }).port);
  await Promise.all(listening.map((server) => new Promise((resolve) => server.close(resolve))));
  return Array.from({ length: servers }, (_, i) => {
    const [client, monitor, cluster] = numbers.slice(i * 3) as [number, number, number];
    return { client, monitor, cluster };
  });
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
