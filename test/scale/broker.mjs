// A broker of the build in dist/, on a data folder of its own: started, ended in any way, asked how
// long it stood still. Never loads it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STALLS = new URL('./stalls.mjs', import.meta.url).href;
/** So many warnings and errors may come before errors are only counted. */
const TOLD_MAX = 5;
const GUEST = { user: 'guest', password: 'guest', vhost: '/' };

/** Other brokers on the machine have the ports of tools; `settings` may ask for free ones. */
const WITHOUT_TOOLS = {
  LEVERET_MANAGEMENT_TCP_PORT: 'none',
  LEVERET_CONFIG_ROOT: '/nonexistent',
  LEVERET_IN_CONTAINER: 'false',
  LEVERET_PROMETHEUS_TCP_PORT: 'none',
};

/** One broker. Its folder lasts over starts and goes with `remove`. */
export class ScaleBroker {
  constructor(settings = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'leveret-scale-'));
    this.settings = settings;
    /** Lines of the log from warnings on. */
    this.warnings = [];
    this.child = null;
    this.address = null;
    this.ports = {};
    // Whatever ends a scenario must leave nothing behind.
    this.clean = () => {
      this.child?.kill('SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    };
    process.once('exit', this.clean);
  }

  get pid() {
    return this.child.pid;
  }

  get storeFolder() {
    return join(this.folder, 'store');
  }

  /** Starts it; returns how many ms went by until it listened. */
  async start() {
    const startMs = performance.now();
    // SCALE_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=..." shows where the time goes.
    const options = process.env.SCALE_NODE_OPTIONS?.split(' ') ?? [];
    const program = [join(ROOT, 'bin', 'leveret'), 'start', '--port', '0'];
    const args = [...options, `--import=${STALLS}`, ...program];
    const child = spawn(process.execPath, [...args, '--data-dir', this.folder], {
      env: { ...process.env, ...WITHOUT_TOOLS, ...this.settings },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.child = child;
    this.ended = new Promise((resolve) =>
      child.once('exit', (code, signal) => resolve(signal ?? code)),
    );
    const port = await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the broker ended with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const entry = JSON.parse(line);
        if (entry.msg === 'listening') this.#listens(entry, resolve);
        if (entry.level !== 'info') this.warnings.push(entry.msg);
        // What waits for a message that was set aside would say no more than that it waits.
        if (entry.level === 'error' && this.warnings.length <= TOLD_MAX) console.error(line);
      });
    });
    this.address = { port, ...GUEST };
    return performance.now() - startMs;
  }

  /** The first listener is that of AMQP; those of tools follow, and with them all are there. */
  #listens({ listener, port }, resolve) {
    if (listener === 'management.tcp') this.ports.management = port;
    else if (listener === 'prometheus.tcp') this.ports.prometheus = port;
    else this.ports.amqp = port;
    const wanted = this.settings.LEVERET_PROMETHEUS_TCP_PORT === undefined ? 1 : 3;
    if (Object.keys(this.ports).length >= wanted) resolve(this.ports.amqp);
  }

  /** The longest time for which its event loop stood still since the last call, in ms. */
  async longestStall() {
    return (await this.#stalls()).longestMs;
  }

  /** The most processor time that its main thread took in one turn since the last call, in ms. */
  async longestTurn() {
    return (await this.#stalls()).longestCpuMs;
  }

  #stalls() {
    const answer = new Promise((resolve) => this.child.once('message', resolve));
    this.child.send('take');
    return answer;
  }

  async end(signal) {
    this.child.kill(signal);
    return this.ended;
  }

  async remove() {
    if (this.child !== null && this.child.exitCode === null) await this.end('SIGKILL');
    this.clean();
    process.removeListener('exit', this.clean);
  }
}
