// Leveret as a child process for tests that run other programs against it, and those programs.
// Never looks inside the broker.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const EXAMPLES = join(ROOT, 'docs/examples');

/** A broker with a data folder of its own, on a free port. */
export class TestBroker {
  private readonly folder = mkdtempSync(join(tmpdir(), 'leveret-examples-'));
  private child: ChildProcess | null = null;
  url = '';
  metricsUrl = '';

  async start(): Promise<void> {
    const ports = ['--port', '0', '--management-port', '0', '--prometheus-port', '0'];
    const args = ['start', ...ports, '--data-dir', this.folder];
    const child = spawn(process.execPath, [join(ROOT, 'bin/leveret'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    const listeners = ['listeners.tcp.default', 'prometheus.tcp'];
    const lines = await Promise.all(listeners.map((name) => firstLine(child, `"${name}"`)));
    const [amqp, metrics] = lines.map((line) => (JSON.parse(line) as { port: number }).port);
    this.url = `amqp://guest:guest@127.0.0.1:${amqp}`;
    this.metricsUrl = `http://127.0.0.1:${metrics}`;
  }

  /** What a verb of the command line prints, which finds the broker by its data folder. */
  async cli(...args: string[]): Promise<string> {
    const env = { ...process.env, LEVERET_DATA_DIR: this.folder };
    const child = spawn(process.execPath, [join(ROOT, 'bin/leveret'), ...args], { env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`leveret ${args.join(' ')}: code ${code}:\n${output}`);
    return output;
  }

  /** kill -9: nothing is finished, nothing is flushed. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}

/** A program that runs against the broker at a URL. */
export class Program {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown[]>;
  output = '';

  constructor(name: string, command: string, args: string[], env: Record<string, string>) {
    this.name = name;
    this.child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = once(this.child, 'close');
  }

  /** Resolves when it has printed a line with that text, or has done so before. */
  async says(text: string): Promise<void> {
    if (this.output.includes(text)) return;
    await firstLine(this.child, text);
  }

  /** The lines it printed, once it has ended; an exit code other than 0 is thrown with them. */
  async lines(): Promise<string[]> {
    const [code, signal] = await this.ended;
    if (code !== 0) throw new Error(`${this.name}: code ${code}, ${signal}:\n${this.output}`);
    return this.output.trimEnd().split('\n');
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** One program of docs/examples, running. */
export class Example extends Program {
  constructor(url: string, name: string, ...args: string[]) {
    super(name, process.execPath, [join(EXAMPLES, name), ...args], { AMQP_URL: url });
  }
}

/** The first line a child prints to stdout that has this text in it. */
function firstLine(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer | string) => {
      output += chunk;
      const line = output.split('\n').find((candidate) => candidate.includes(text));
      if (line !== undefined && output.includes(`${line}\n`)) resolve(line);
    });
    child.stderr?.on('data', (chunk: Buffer | string) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      reject(new Error(`ended with code ${code} before it said "${text}":\n${output}`));
    });
  });
}
