// Servers of NATS for the crash test, three or one, on free ports and in folders of their own, which are killed and started again.
// Never knows what is kept on them.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../broker.mjs';

const COUNT = 3;
const AGAIN_MS = 50;
const LIMIT_MS = 60_000;

/** The program: named by NATS_SERVER, in PATH, or where it is often put. Throws where there is none. */
export function findNatsServer() {
  const { NATS_SERVER, PATH = '' } = process.env;
  const places = PATH.split(':').map((folder) => join(folder, 'nats-server'));
  const tried = NATS_SERVER === undefined ? [...places, '/opt/nats/nats-server'] : [NATS_SERVER];
  const found = tried.find((file) => existsSync(file));
  if (found === undefined) throw new Error('there is no nats-server here: name one by NATS_SERVER');
  return found;
}

/** Which version it is, as it says. */
export function natsVersion() {
  return spawnSync(findNatsServer(), ['--version'], { encoding: 'utf8' }).stdout.trim();
}

export class NatsServers {
  /** `network`: each server is on a machine of its own in it. `count`: 1 or 3. */
  constructor(folder, network, count = COUNT) {
    this.count = count;
    this.program = findNatsServer();
    this.folder = folder;
    this.network = network;
    this.ports = [];
    this.children = [];
  }

  /** Resolves once they take requests. */
  async start() {
    for (let i = 0; i < this.count; i++) {
      const [client, monitor, cluster] = [
        await findFreePort(),
        await findFreePort(),
        await findFreePort(),
      ];
      this.ports.push({ client, monitor, cluster });
    }
    for (const i of this.ports.keys()) this.launch(i);
    await this.healthy();
  }

  get addresses() {
    return this.ports.map(({ client }, i) => `${this.hostOf(i)}:${client}`);
  }

  get monitors() {
    return this.ports.map(({ monitor }, i) => `${this.hostOf(i)}:${monitor}`);
  }

  hostOf(i) {
    return this.network.hostOf(`s${i}`);
  }

  /** Starts one, on its folder and ports. */
  launch(i) {
    mkdirSync(this.folder, { recursive: true });
    const file = join(this.folder, `s${i}.conf`);
    const { client, monitor, cluster } = this.ports[i];
    const host = this.hostOf(i);
    const all = this.ports.map((each, n) => `nats://${this.hostOf(n)}:${each.cluster}`);
    const routes = all.join(', ');
    const together = `cluster { name: crash, listen: ${host}:${cluster}, routes: [${routes}], no_advertise: true }`;
    const store = join(this.folder, `s${i}`);
    writeFileSync(
      file,
      `server_name: s${i}
listen: ${host}:${client}
http: ${host}:${monitor}
jetstream { store_dir: "${store}", max_file_store: 20GB, sync_interval: always }
${this.count === 1 ? '' : together}
`,
    );
    const args = ['-c', file, '-l', join(this.folder, `s${i}.log`)];
    const command = this.network.commandOn(`s${i}`, this.program, args);
    this.children[i] = spawn(...command, { stdio: 'ignore', detached: true });
  }

  async kill(i) {
    const child = this.children[i];
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  signal(i, name) {
    this.children[i].kill(name);
  }

  killNow() {
    for (const child of this.children) child.kill('SIGKILL');
  }

  /** Resolves once all are there and have what they need of one another. */
  async healthy() {
    for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
      const all = await Promise.all(this.monitors.map(isHealthy));
      if (all.every(Boolean)) return;
      if (waitedMs > LIMIT_MS) throw new Error('the servers of NATS do not become healthy');
      // Its port may have been another's for a moment.
      for (const [i, { exitCode }] of this.children.entries())
        if (exitCode !== null) this.launch(i);
      await sleep(AGAIN_MS);
    }
  }
}

async function isHealthy(monitor) {
  try {
    return (await fetch(`http://${monitor}/healthz`)).ok;
  } catch {
    return false;
  }
}
