// Owns `leveret cluster demo`: three servers of NATS and three brokers in one terminal, to see what a cluster does when its
// leader is gone. Never keeps anything: its folder goes with it.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isObject } from '../../../util/json/json.ts';
import { parseAnswer } from '../../../util/json/json-input.ts';
import { exitCodeOf, UnavailableError } from '../../exit-codes.ts';
import { describeFailure } from '../../failure.ts';
import { print, printError } from '../../print.ts';

const NODES = ['n1', 'n2', 'n3'] as const;
const HOST = '127.0.0.1';
/** A node that was killed is started again after so long. */
const AGAIN_MS = 5000;
const STOP_MS = 10_000;
/** Of what the nodes log, this is shown. */
const SHOWN: ReadonlySet<string> = new Set([
  'following the log',
  'this node leads',
  'this node leads no longer',
]);

interface Ports {
  readonly nats: number;
  readonly routes: number;
  readonly monitor: number;
  readonly amqp: number;
  readonly management: number;
}

/** The command. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Try a cluster: three nodes and three servers of NATS in this terminal.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(
      new Option(
        '--port <port>',
        'The AMQP port of the first node; the others have the next two. 0: free ones.',
      )
        .default(5672)
        .argParser(portOf),
    )
    .addHelpText(
      'after',
      '\nIt needs nats-server 2.10.23 or later in PATH, or named by NATS_SERVER. Nothing of it is kept.',
    )
    .action(async ({ port }: { port: number }) => {
      try {
        await new Demo(findNats(), await portsFrom(port)).run();
      } catch (error) {
        printError(`leveret: ${describeFailure(error, null)}\n`);
        process.exitCode = exitCodeOf(error);
      }
    });
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_533) throw new InvalidArgumentError(`It takes a port, not '${text}'.`);
  return port;
}

function findNats(): string {
  const named = process.env['NATS_SERVER'];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((each) => each !== '');
  const places = named === undefined ? folders.map((each) => join(each, 'nats-server')) : [named];
  const found = places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  const where = named === undefined ? 'in PATH' : `at ${named}, as NATS_SERVER says`;
  throw new UnavailableError(
    `there is no nats-server ${where}: install one, such as with: go install github.com/nats-io/nats-server/v2@latest`,
  );
}

async function portsFrom(first: number): Promise<Ports[]> {
  const ports: Ports[] = [];
  for (const i of NODES.keys()) {
    if (first !== 0 && !(await isFree(first + i))) {
      throw new UnavailableError(`port ${first + i} is taken: name another one with --port`);
    }
    const [nats, routes, monitor, management, free] = await freePorts();
    ports.push({ nats, routes, monitor, management, amqp: first === 0 ? free : first + i });
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/** Five ports that no process listens at. */
async function freePorts(): Promise<[number, number, number, number, number]> {
  const servers = Array.from({ length: 5 }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const address = server.address();
    ports.push(typeof address === 'object' && address !== null ? address.port : 0);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports as [number, number, number, number, number];
}

/** All processes of a demo. */
class Demo {
  private readonly folder = mkdtempSync(join(tmpdir(), 'leveret-demo-'));
  private readonly nats: string;
  private readonly ports: readonly Ports[];
  private readonly children = new Map<string, ChildProcess>();
  private stopping = false;

  constructor(nats: string, ports: readonly Ports[]) {
    this.nats = nats;
    this.ports = ports;
  }

  /** Runs until SIGINT or SIGTERM. */
  async run(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, resolve);
    });
    for (const [i, node] of NODES.entries()) this.startNats(node, i);
    for (const [i, node] of NODES.entries()) this.startNode(node, i);
    const hosts = this.ports.map(({ amqp }) => `${HOST}:${amqp}`).join(',');
    print(`Three nodes with one log, in ${this.folder}. Ctrl-C stops all, and nothing is kept.\n`);
    print(`Load them:  leveret perf -H amqp://${hosts} -f -c 1000 -q 500 -A 50\n\n`);
    await stopped;
    this.stopping = true;
    print('Stopping.\n');
    await this.stop();
  }

  private startNats(node: string, i: number): void {
    const { nats, routes, monitor } = this.ports[i] as Ports;
    const folder = join(this.folder, `nats-${node}`);
    const all = this.ports.map((each) => `nats://${HOST}:${each.routes}`).join(', ');
    mkdirSync(folder);
    const file = join(folder, 'nats.conf');
    const lines = [
      `server_name: ${node}`,
      `listen: ${HOST}:${nats}`,
      `http: ${HOST}:${monitor}`,
      `jetstream { store_dir: "${folder}/js", max_file_store: 4GB, sync_interval: always }`,
      `cluster { name: demo, listen: ${HOST}:${routes}, routes: [${all}] }`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.runNats(node, file);
  }

  private runNats(node: string, file: string): void {
    const child = spawn(this.nats, ['-c', file], { stdio: 'ignore' });
    this.watch(`nats-server of ${node}`, child, () => this.runNats(node, file));
  }

  private startNode(node: string, i: number): void {
    const { amqp, management } = this.ports[i] as Ports;
    const at = (port: (each: Ports) => number): string =>
      this.ports.map((each) => `${HOST}:${port(each)}`).join(',');
    const env = {
      ...process.env,
      LEVERET_CLUSTER_LOG: 'nats',
      LEVERET_CLUSTER_NAME: 'demo',
      LEVERET_CLUSTER_NODE: node,
      LEVERET_CLUSTER_NATS_SERVERS: at((each) => each.nats),
      LEVERET_CLUSTER_NATS_MONITOR: at((each) => each.monitor),
      LEVERET_CLUSTER_LOG_BYTES_MAX: '1GiB',
      LEVERET_CLUSTER_SNAPSHOT_BYTES: '128MiB',
      LEVERET_MANAGEMENT_TCP_PORT: String(management),
      LEVERET_PROMETHEUS_TCP_PORT: 'none',
    };
    const args = ['start', '--port', String(amqp), '--data-dir', join(this.folder, node)];
    const child = spawn(process.execPath, [process.argv[1] as string, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.tell(node, i, child, line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => printError(`${node}: ${text}`));
    this.watch(node, child, () => this.startNode(node, i));
  }

  /** Shows what a node's line says of its role. */
  private tell(node: string, i: number, child: ChildProcess, line: string): void {
    let said: unknown;
    try {
      said = parseAnswer(line);
    } catch {
      return;
    }
    if (!isObject(said)) return;
    const { msg, level } = said;
    if (typeof msg !== 'string') return;
    if (level === 'error' || level === 'fatal') printError(`${node}: ${msg}\n`);
    if (!SHOWN.has(msg)) return;
    print(`${node}: ${msg}\n`);
    if (msg !== 'this node leads') return;
    const { amqp, management } = this.ports[i] as Ports;
    print(`    amqp://${HOST}:${amqp}, web UI http://${HOST}:${management}/ (guest, guest)\n`);
    print(`    kill it, and see another one lead:  kill -9 ${child.pid}\n`);
  }

  /** Starts what ends without being asked to again. */
  private watch(name: string, child: ChildProcess, again: () => void): void {
    this.children.set(name, child);
    child.on('error', (error) => printError(`${name}: ${error.message}\n`));
    child.on('close', (code, signal) => {
      this.children.delete(name);
      if (this.stopping) return;
      print(
        `${name}: ended by ${signal ?? `code ${code}`}; starts again in ${AGAIN_MS / 1000} s\n`,
      );
      setTimeout(() => {
        if (!this.stopping) again();
      }, AGAIN_MS).unref();
    });
  }

  private async stop(): Promise<void> {
    const gone = (): boolean => this.children.size === 0;
    const late = setTimeout(() => this.signal('SIGKILL', ''), STOP_MS);
    // The brokers first: they end by the log.
    this.signal('SIGTERM', 'nats');
    await until(() => [...this.children.keys()].every((name) => name.startsWith('nats')));
    this.signal('SIGTERM', '');
    await until(gone);
    clearTimeout(late);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends a signal to all whose name does not begin so. */
  private signal(signal: NodeJS.Signals, but: string): void {
    for (const [name, child] of this.children) {
      if (but === '' || !name.startsWith(but)) child.kill(signal);
    }
  }
}

const LOOK_MS = 50;

function until(isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!isSo()) return;
      clearInterval(timer);
      resolve();
    }, LOOK_MS);
  });
}
