// The broker under test as a child process: Leveret from this checkout, or a RabbitMQ node of its
// own for comparison. Starts it, kills it, and knows when it takes connections.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { now } from './client.mjs';
import { DEFINITIONS, LOGIN } from './topology.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_LIMIT_MS = { leveret: 90_000, rabbitmq: 90_000 };

/** Several brokers run at a time: none of them opens the ports of tools. */
const WITHOUT_TOOLS = {
  LEVERET_MANAGEMENT_TCP_PORT: 'none',
  LEVERET_CONFIG_ROOT: '/nonexistent',
  LEVERET_IN_CONTAINER: 'false',
  LEVERET_PROMETHEUS_TCP_PORT: 'none',
};

export async function findFreePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class Broker {
  /**
   * @param {import('./supervise.mjs').Plan} plan its folder gets the data, and `broker.log`
   * @param {number} port the same for each start
   * @param {number} distPort RabbitMQ's port for other nodes
   */
  constructor(plan, port, distPort) {
    const { broker: kind, leveret, folder, definitions = DEFINITIONS, managementPort } = plan;
    this.kind = kind;
    this.managementPort = managementPort;
    this.port = port;
    this.url = `amqp://${LOGIN.user}:${LOGIN.password}@127.0.0.1:${port}/${LOGIN.vhost}`;
    this.log = join(folder, 'broker.log');
    this.child = null;
    /** When each process was started, by the clock the clients use. */
    this.spawns = [];
    this.command =
      kind === 'leveret'
        ? startLeveret(leveret, folder, port, definitions, managementPort)
        : startRabbitmq(folder, port, distPort);
  }

  /** Starts the process and waits for nothing more. */
  spawn() {
    const [file, args, env, envOfFirst = {}] = this.command;
    const first = this.spawns.length === 0;
    this.spawns.push(now());
    // A group of its own: Ctrl-C must not reach it, and kill() takes its children along.
    const child = spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, ...WITHOUT_TOOLS, ...env, ...(first ? envOfFirst : {}) },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child = child;
    this.heard = false;
    let output = '';
    const keep = (chunk) => {
      appendFileSync(this.log, chunk);
      // All clients come back at once: what they are about pushes the line out of a short memory.
      output += chunk;
      if (output.includes('"msg":"listening"')) this.heard = true;
      output = output.slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.on('error', () => {});
    this.exit = new Promise((resolve) => {
      child.on('error', (error) => resolve({ code: null, signal: null, error }));
      child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    this.exit.then(() => {
      if (this.child === child) this.child = null;
    });
  }

  /** Waits until it takes connections; the answer is how many milliseconds it took. */
  async listening() {
    const startedAt = this.spawns.at(-1);
    const limit = START_LIMIT_MS[this.kind];
    while (!(await this.isListening())) {
      if (this.child === null)
        throw new Error(`the broker ended during its start:\n${this.tail()}`);
      if (now() - startedAt > limit * 1000) throw new Error(`not listening after ${limit} ms`);
      await sleep(this.kind === 'leveret' ? 5 : 100);
    }
    return Math.round((now() - startedAt) / 1000);
  }

  async isListening() {
    if (this.kind === 'leveret') return this.heard;
    const model = await connect(this.url, { timeout: 2000 }).catch(() => null);
    await model?.close();
    return model !== null;
  }

  async kill() {
    this.killNow();
    await this.exit;
  }

  killNow() {
    if (this.child === null) return;
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // It was gone already.
    }
  }

  /** Asks it to stop; the answer is how it ended, or null when it did not within the limit. */
  async stop(limitMs) {
    const exit = this.exit;
    this.child.kill('SIGTERM');
    const ended = await Promise.race([exit, sleep(limitMs, null, { ref: false })]);
    if (ended === null) await this.kill();
    return ended;
  }

  tail() {
    try {
      return readFileSync(this.log, 'utf8').split('\n').slice(-15).join('\n');
    } catch {
      return '';
    }
  }
}

/** Without definitions it has the user that a first start makes. */
function startLeveret(leveret, folder, port, definitions, managementPort = 'none') {
  const args = [leveret, 'start', '--port', String(port), '--data-dir', join(folder, 'data')];
  args.push('--management-port', String(managementPort));
  const env = definitions === null ? {} : { LEVERET_LOAD_DEFINITIONS: writeDefinitions(folder) };
  return [process.execPath, args, {}, env];
}

function writeDefinitions(folder) {
  const path = join(folder, 'definitions.json');
  writeFileSync(path, JSON.stringify(DEFINITIONS));
  return path;
}

/** A node apart from any other on this machine: name, ports, folders and cookie are its own. */
function startRabbitmq(folder, port, distPort) {
  const home = join(folder, 'rabbitmq');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'enabled_plugins'), '[].\n');
  const lines = [
    `listeners.tcp.default = 127.0.0.1:${port}`,
    `load_definitions = ${writeDefinitions(folder)}`,
  ];
  writeFileSync(join(home, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  const env = {
    HOME: home,
    RABBITMQ_NODENAME: `crash${process.pid}@localhost`,
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(home, 'pid'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    // The script then becomes the node instead of starting it, so that its id can be killed.
    RABBITMQ_ALLOW_INPUT: '1',
  };
  return [RABBITMQ, [], env];
}
