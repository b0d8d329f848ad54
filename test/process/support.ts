// Brokers in processes of their own, as a user starts them: bin/leveret with a data folder that ends
// with the test.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterEach } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const START_PATIENCE_MS = PATIENCE_MS;
const END_PATIENCE_MS = PATIENCE_MS;
const NOBODY = 65_534;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type LogEntry = Record<string, unknown>;

/** Who is not root cannot be somebody else, and is kept out by the rights of the folder. */
const nobody = (): { uid?: number; gid?: number } =>
  process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Whether this Node lies where that user may run it; one in the cache of root's npm does not. */
export function nobodyRunsNode(): boolean {
  return spawnSync(process.execPath, ['--version'], nobody()).status === 0;
}

/** One process. */
export class BrokerProcess {
  readonly entries: LogEntry[] = [];
  stderr = '';
  readonly ended: Promise<Ended>;
  /** From the spawn until it listened. */
  startMs = -1;
  port = -1;
  private readonly child: ChildProcess;

  constructor(
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    cwd: string,
    user: { uid?: number; gid?: number },
  ) {
    const startMs = performance.now();
    this.child = spawn(process.execPath, [join(ROOT, 'bin', 'leveret'), 'start', ...args], {
      cwd,
      env: { PATH: process.env['PATH'], ...WITHOUT_TOOLS, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('the process has no output');
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    createInterface({ input: stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as LogEntry;
      this.entries.push(entry);
      if (entry['msg'] !== 'listening') return;
      this.startMs = performance.now() - startMs;
      // The first line is that of the listener without TLS, where there is one.
      if (this.port < 0) this.port = entry['port'] as number;
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** Whether a line of the log says so. */
  said(msg: string): boolean {
    return this.entries.some((entry) => entry['msg'] === msg);
  }

  async listening(): Promise<this> {
    const endMs = Date.now() + START_PATIENCE_MS;
    const end = this.ended.then(({ code }) => {
      throw new Error(`the broker ended with ${code}: ${this.stderr}`);
    });
    end.catch(() => undefined);
    while (this.port < 0) {
      if (Date.now() > endMs) throw new Error('the broker does not start');
      await Promise.race([end, pause(5)]);
    }
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end; kills what does not end. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), END_PATIENCE_MS);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }

  /** A number of kilobytes out of /proc, such as VmRSS; -1 where there is no /proc. */
  statusKib(field: string): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? -1);
    } catch {
      return -1;
    }
  }
}

export interface Processes {
  /** A fresh folder, gone after the test. */
  folder(): string;
  /** Starts a broker and does not wait. */
  spawn(args: readonly string[], env?: NodeJS.ProcessEnv, cwd?: string): BrokerProcess;
  /** As `spawn`, by a user who may write nowhere that root or this user owns. */
  spawnAsNobody(args: readonly string[]): BrokerProcess;
  /** Starts a broker on a data folder and waits until it listens. */
  start(dataDir: string, ...args: string[]): Promise<BrokerProcess>;
  /** An amqplib connection. */
  connect(broker: BrokerProcess, query?: string): Promise<ChannelModel>;
  /** A confirm channel on a connection of its own. */
  channel(broker: BrokerProcess): Promise<ConfirmChannel>;
}

export function useProcesses(): Processes {
  const brokers: BrokerProcess[] = [];
  const folders: string[] = [];

  afterEach(async () => {
    const gone = brokers.splice(0).map((broker) => broker.end('SIGKILL'));
    await Promise.all(gone);
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const processes: Processes = {
    folder() {
      const folder = mkdtempSync(join(tmpdir(), 'leveret-process-'));
      folders.push(folder);
      return folder;
    },
    spawn(args, env = {}, cwd = processes.folder()) {
      const broker = new BrokerProcess(args, env, cwd, {});
      brokers.push(broker);
      return broker;
    },
    spawnAsNobody(args) {
      const broker = new BrokerProcess(args, {}, tmpdir(), nobody());
      brokers.push(broker);
      return broker;
    },
    start(dataDir, ...args) {
      return processes.spawn(['--port', '0', '--data-dir', dataDir, ...args]).listening();
    },
    async connect(broker, query = '') {
      const model = await connect(broker.url + query);
      model.on('error', () => undefined);
      return model;
    },
    async channel(broker) {
      const channel = await (await processes.connect(broker)).createConfirmChannel();
      channel.on('error', () => undefined);
      return channel;
    },
  };
  return processes;
}

/** Every file below a folder. */
export function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
