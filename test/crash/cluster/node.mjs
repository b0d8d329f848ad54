// One node of the cluster under test, as a child process: starts it, kills it, pauses it, and knows from what it logs which
// part it plays. Never decides when.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { now } from '../client.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SET_CLOCK = new URL('set-clock.mjs', import.meta.url).href;
const TAIL_LINES = 12;
const ENVIRONMENT = {
  LEVERET_CONFIG_ROOT: '/nonexistent',
  LEVERET_IN_CONTAINER: 'false',
  LEVERET_PROMETHEUS_TCP_PORT: 'none',
};

/** The wall clock of this process as the clock of clients: that of the machine is not set while this runs. */
const CLOCKS_APART_US = Date.now() * 1000 - now();

export class Node {
  /**
   * @param {{ index: number, folder: string, leveret: string, port: number, managementPort: number, settings: object,
   *   network: import('./network.mjs').OneMachine }} of
   * @param {(event: { msg: string, t: number }) => void} hear told each line that it logs
   */
  constructor({ index, folder, leveret, port, managementPort, settings, network }, hear) {
    this.index = index;
    this.name = `n${index}`;
    this.leveret = leveret;
    this.network = network;
    this.host = network.hostOf(this.name);
    this.port = port;
    this.managementPort = managementPort;
    this.folder = join(folder, this.name);
    this.data = join(this.folder, 'data');
    this.log = join(this.folder, 'leveret.log');
    this.config = join(this.folder, 'leveret.conf');
    this.hear = hear;
    this.child = null;
    this.clock = { wallMs: 0, monotonicMs: 0, stands: false, stopped: false };
    /** By how much its time of day was ever set, ms: its log lines are of one of these times. */
    this.aheads = new Set([0]);
    this.exit = Promise.resolve(null);
    /** The epoch that it leads and serves in; 0: it does not, as far as it has said. */
    this.serves = 0;
    this.leads = 0;
    this.follows = false;
    /** Whether it is to end: else its end is a fault. */
    this.mayEnd = true;
    mkdirSync(this.folder, { recursive: true });
    const lines = {
      ...settings,
      'cluster.node': this.name,
      'cluster.listen': `${this.host}:0`,
      'listeners.tcp.default': `${this.host}:${port}`,
    };
    const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(this.config, text.join(''));
  }

  get runs() {
    return this.child !== null;
  }

  /** Starts the process; waits for nothing. */
  start(env = {}) {
    const program = ['--import', SET_CLOCK, this.leveret];
    const args = [...program, 'start', '--config', this.config, '--data-dir', this.data];
    const child = spawn(...this.network.commandOn(this.name, process.execPath, args), {
      cwd: ROOT,
      // What starts this may have set these for brokers of its own.
      env: {
        ...process.env,
        ...ENVIRONMENT,
        CRASH_CLOCK: this.clockFile,
        LEVERET_MANAGEMENT_TCP_PORT: String(this.managementPort),
        ...env,
      },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.mayEnd = false;
    [this.serves, this.leads, this.follows] = [0, 0, false];
    let rest = '';
    const keep = (chunk) => {
      appendFileSync(this.log, chunk);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) this.read(line);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', (chunk) => appendFileSync(this.log, chunk));
    this.exit = new Promise((resolve) => {
      child.on('error', (error) => resolve({ code: null, signal: null, error }));
      child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    this.exit.then((ended) => {
      if (this.child !== child) return;
      this.child = null;
      [this.serves, this.leads, this.follows] = [0, 0, false];
      if (!this.mayEnd) this.hear({ msg: 'ended by itself', ended, t: now() });
    });
  }

  read(line) {
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      return;
    }
    const event = { ...entry, t: this.timeOf(entry) };
    if (event.msg === 'this node leads') {
      this.leads = event.epoch;
      this.follows = false;
    } else if (event.msg === 'listening') {
      this.serves = this.leads;
    } else if (event.msg === 'this node leads no longer') {
      this.serves = 0;
    } else if (event.msg === 'following the log') {
      [this.serves, this.leads, this.follows] = [0, 0, true];
    }
    this.hear(event);
  }

  /**
   * When a line was logged, by the clock of clients: what it says is ahead by the set time that fits best. Of a clock that
   * stands still it says nothing.
   */
  timeOf({ time }) {
    if (this.clock.stopped) return now();
    const t = Date.parse(time) * 1000 - CLOCKS_APART_US;
    const times = [...this.aheads].map((ms) => t - ms * 1000);
    const apart = (each) => Math.abs(now() - each);
    return times.reduce((a, b) => (apart(b) < apart(a) ? b : a));
  }

  get clockFile() {
    return join(this.folder, 'clock.json');
  }

  /**
   * Sets its clocks; it notices within moments. `wallMs`, `monotonicMs`: ahead of those of the machine. `stands`: from now on
   * its monotonic clock stands still while the process does, as where the machine is suspended. `stopped`: both stand still.
   */
  setClock(clock) {
    this.clock = { ...this.clock, ...clock };
    this.aheads.add(this.clock.wallMs);
    const next = `${this.clockFile}.next`;
    writeFileSync(next, JSON.stringify(this.clock));
    renameSync(next, this.clockFile);
  }

  signal(name) {
    if (this.child === null) return;
    try {
      process.kill(name === 'SIGKILL' ? -this.child.pid : this.child.pid, name);
    } catch {
      // It was gone already.
    }
  }

  async kill() {
    this.mayEnd = true;
    this.signal('SIGKILL');
    await this.exit;
  }

  /** Takes its folder away, as a new disk would. */
  wipe() {
    rmSync(this.data, { recursive: true, force: true });
  }

  tail() {
    try {
      return readFileSync(this.log, 'utf8').split('\n').slice(-TAIL_LINES).join('\n');
    } catch {
      return '';
    }
  }
}
