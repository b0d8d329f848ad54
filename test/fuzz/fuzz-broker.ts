// Owns the broker that a fuzzer works on: its process, its folder, its ports, and what went wrong with it.
// Never makes up a case, and never judges an answer.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RawConnection } from '../support/amqp-raw.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** The build that is tried: this one, or that of another folder. */
const ROOT = process.env['FUZZ_ROOT'] ?? fileURLToPath(new URL('../..', import.meta.url));
const ANSWER_MS = 60_000;
/** No answer takes so long, even on a busy machine: one command may move messages for 20 s. */
const HTTP_MS = 60_000;
/** A process whose sockets have closed is gone after that time, if it goes. */
const GONE_MS = 1000;
/** So many ports are tried at a start. */
const PORT_TRIES = 5;
const LOGIN = `Basic ${Buffer.from('guest:guest').toString('base64')}`;

/** What a case found wrong: a kind, so that a smaller case can be seen to find the same, and words. */
export class Finding extends Error {
  readonly kind: string;

  constructor(kind: string, text: string) {
    super(`${kind}: ${text}`);
    this.kind = kind;
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

interface Told {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly line?: string;
  readonly ready?: boolean;
}

/** A broker in a process of its own, on a folder of its own. */
export class FuzzBroker {
  readonly folder = mkdtempSync(join(tmpdir(), 'leveret-fuzz-'));
  /** Lines that the broker logged as errors since the last look. */
  readonly errors: string[] = [];
  port = 0;
  managementUrl = '';
  metricsPort = 0;
  private child: ChildProcess | null = null;
  private stderr = '';
  private ended: Finding | null = null;
  private nextId = 0;
  private readonly waiting = new Map<number, Waiting>();

  /** Starts it; a start that fails is a finding. */
  async start(): Promise<void> {
    this.child ??= await this.spawn();
    for (let tries = 1; ; tries++) {
      try {
        await this.startOnce();
        return;
      } catch (error) {
        const { message } = error as Error;
        // A free port may be taken before it is used, by a connection of another program too.
        const taken = message.includes('EADDRINUSE') && tries < PORT_TRIES;
        if (!taken) throw new Finding('start', `the broker does not start: ${message}`);
      }
    }
  }

  private async startOnce(): Promise<void> {
    this.metricsPort = await freePort();
    const settings = {
      'prometheus.tcp.port': this.metricsPort,
      // Fuzzers connect often, and one that is refused would look like a broker that is gone.
      'disk_free_limit.absolute': 1_000_000,
    };
    const options = { dataDir: this.folder, managementPort: 0, settings };
    const told = (await this.ask('start', { options })) as { port: number; managementUrl: string };
    this.port = told.port;
    this.managementUrl = told.managementUrl;
  }

  /** Ends it, cleanly or with SIGKILL, and starts it on the same folder. */
  async restart(hard: boolean): Promise<void> {
    if (hard) await this.kill();
    else await this.ask('close', {});
    await this.start();
  }

  /** Lets time go by for the broker. */
  async advance(ms: number): Promise<void> {
    await this.ask('advance', { ms });
  }

  /** MiB in use, and the longest wait of its event loop since the last look. */
  async look(): Promise<{ mib: number; stallMs: number }> {
    return (await this.ask('look', {})) as { mib: number; stallMs: number };
  }

  /** Throws when the broker has ended, or has logged an error. */
  expectSound(): void {
    if (this.ended !== null) throw this.ended;
    const line = this.errors.shift();
    if (line !== undefined) throw new Finding('log', line.trim());
  }

  /** The same after a socket has closed without a word, which may be heard before the end of the process. */
  async expectAlive(): Promise<void> {
    const endMs = performance.now() + GONE_MS;
    while (this.ended === null && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.expectSound();
  }

  /** An open connection with channel 1 open. */
  async open(options: { vhost?: string; user?: string; password?: string } = {}) {
    const { vhost = '/', user = 'guest', password = 'guest' } = options;
    const at = { host: '127.0.0.1', port: this.port, user, password, vhost };
    const raw = await RawConnection.dial(at).catch(async (error: Error) => {
      await this.expectAlive();
      throw new Finding('refused', error.message);
    });
    raw.takesTwice = true;
    const reply = await raw.open();
    if (reply.name !== 'connection.open-ok') {
      if (reply.name === 'socket closed') await this.expectAlive();
      throw new Finding('refused', `no connection: ${JSON.stringify(reply)}`);
    }
    await raw.openChannel(1);
    return raw;
  }

  /** One request; no answer in time, or an end of the socket without one, is a finding. */
  http(
    method: string,
    path: string,
    body: string | Buffer | null = null,
    headers: Record<string, string> = {},
  ): Promise<HttpAnswer> {
    const { hostname, port } = new URL(this.managementUrl);
    // Said here: the HTTP client of Node.js sends a body of DELETE without a word on its length.
    const json =
      body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
    const all = { authorization: LOGIN, ...json, ...headers };
    return new Promise((resolve, reject) => {
      const wrong = (text: string) => () => {
        asked.destroy();
        const finding = new Finding('http', `${method} ${path.slice(0, 200)}: ${text}`);
        this.expectAlive().then(() => reject(finding), reject);
      };
      const asked = request({ hostname, port, method, path, headers: all, agent: false });
      asked.setTimeout(HTTP_MS, wrong('no answer in time'));
      asked.on('error', (error) => wrong(error.message)());
      asked.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', (error) => wrong(error.message)());
        response.on('end', () => {
          const { statusCode: status = 0, headers: got } = response;
          resolve({ status, headers: got, text: Buffer.concat(parts).toString() });
        });
      });
      asked.end(body ?? undefined);
    });
  }

  /** Closes it; the folder has to be sound by the word of `leveret check`. */
  async closeAndCheck(): Promise<void> {
    await this.ask('close', {});
    await this.kill();
    const args = [join(ROOT, 'bin', 'leveret'), 'check', '--data-dir', this.folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Finding('check', `${stdout}${stderr}`.slice(0, 2000));
  }

  /** Ends the process, and forgets the folder unless it is to be looked at. */
  async dispose(keep = false): Promise<void> {
    await this.kill();
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }

  private async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners('exit');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  private spawn(): Promise<ChildProcess> {
    this.ended = null;
    this.stderr = '';
    const child = fork(join(HERE, 'host.mjs'), [ROOT], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.on('data', (text: Buffer) => {
      this.stderr = `${this.stderr}${text}`.slice(-4000);
    });
    child.on('exit', (code, signal) => this.noteEnd(code, signal));
    return new Promise((resolve, reject) => {
      child.on('message', (told: Told) => {
        if (told.ready === true) resolve(child);
        else this.hear(told);
      });
      child.once('exit', () => reject(new Error(this.stderr)));
    });
  }

  private noteEnd(code: number | null, signal: string | null): void {
    const text = `exit code ${code ?? signal}: ${this.stderr}`;
    this.ended = new Finding('end', `the broker ended with ${text}`);
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }

  private hear({ id, result, error, line }: Told): void {
    if (line !== undefined) this.errors.push(line);
    if (id === undefined) return;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  private ask(name: string, rest: object): Promise<unknown> {
    if (this.ended !== null || this.child === null) {
      return Promise.reject(this.ended ?? new Finding('end', 'the broker does not run'));
    }
    const { child } = this;
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Finding('hang', `no answer to '${name}' in time`));
      const timer = setTimeout(late, ANSWER_MS);
      const over = <T>(next: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          next(value);
        };
      };
      this.waiting.set(id, { resolve: over(resolve), reject: over(reject) });
      child.send({ id, name, ...rest });
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
