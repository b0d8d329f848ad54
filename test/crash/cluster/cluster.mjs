// The cluster under test: three servers of NATS, three nodes, and the ways between them. Knows who leads, in which term, and
// when the whole is well again. Never breaks anything by itself.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../broker.mjs';
import { now } from '../client.mjs';
import { DEFINITIONS, LOGIN } from '../topology.mjs';
import { NatsServers } from './nats-servers.mjs';
import { Node } from './node.mjs';
import { SlowWay } from './slow-way.mjs';

const NODES = 3;
const AGAIN_MS = 25;
const LIMIT_MS = 120_000;
export const LEASE_MS = 2000;

/** The settings of a cluster with a small log, which is trimmed all the time, and of one with a larger one. */
export const SIZES = {
  small: { 'cluster.log_bytes_max': '64MiB', 'cluster.snapshot.bytes': '4MiB' },
  large: { 'cluster.log_bytes_max': '256MiB', 'cluster.snapshot.bytes': '16MiB' },
};

/** The settings of a node that reaches the servers of NATS by these addresses. */
export function settingsOf({ group, nats }, addresses) {
  return {
    'cluster.log': 'nats',
    'cluster.name': 'crash',
    'cluster.group': group,
    'cluster.replicas': String(nats.count),
    'cluster.lease': `${LEASE_MS}ms`,
    'cluster.renew': '400ms',
    'cluster.nats.servers': addresses.join(','),
    'cluster.nats.monitor': nats.monitors.join(','),
  };
}

export class Cluster {
  /**
   * @param {{ folder: string, leveret: string, dist: string, size: 'small' | 'large', group?: string, count?: number,
   *   nats?: NatsServers, network: import('./network.mjs').OneMachine, definitions?: object }} plan `group`: of vhosts.
   *   `count`: of its nodes. `nats`: servers that run already. `definitions`: what the first node begins with
   * @param {(node: Node, event: { msg: string, t: number }) => void} hear
   */
  constructor(plan, hear) {
    const { folder, leveret, dist, size, network, definitions = DEFINITIONS } = plan;
    const { group = 'main', count = NODES, nats } = plan;
    this.group = group;
    this.count = count;
    this.folder = folder;
    this.leveret = leveret;
    this.dist = dist;
    this.size = size;
    this.definitions = definitions;
    this.hear = hear;
    this.network = network;
    this.nats = nats ?? new NatsServers(join(folder, 'nats'), network);
    this.ownsNats = nats === undefined;
    this.nodes = [];
    this.ways = [];
    /** When each term was known to have begun, by its epoch. */
    this.terms = [];
    /** When leaders were paused, by their terms. */
    this.pauses = [];
    /** From when on clocks ran as time does not, so that a lease may end too early, by the epoch of then. */
    this.hurries = [];
    /** From when to when leaders had no network, by their terms. */
    this.pulls = [];
    /** What each node has told of itself last. */
    this.rows = new Map();
    /** How many records nodes that follow have ignored, each for itself, as far as they have told. */
    this.ignored = 0;
    this.client = null;
    /** When the first process was started: schedules tick from then on. */
    this.spawns = [];
  }

  /** Starts all; resolves once it is whole. */
  async start() {
    if (this.ownsNats) await this.nats.start();
    await this.makeNodes();
    this.spawns.push(now());
    await this.setUp();
    await this.watch();
    for (const node of this.nodes) node.start();
    await this.whole();
  }

  async makeNodes() {
    for (let index = 0; index < this.count; index++) {
      const way = new SlowWay(this.nats.addresses, this.network.hub);
      this.ways.push(way);
      const settings = { ...settingsOf(this, await way.open()), ...SIZES[this.size] };
      const { folder, leveret, network } = this;
      const [port, managementPort] = [await findFreePort(), await findFreePort()];
      const plan = { index, folder, leveret, port, managementPort, settings, network };
      const node = new Node(plan, (event) => this.heard(node, event));
      this.nodes.push(node);
    }
  }

  /** The first node begins alone, with users and policies: all that comes later has to find them in the log. */
  async setUp() {
    const [first] = this.nodes;
    first.start(this.firstEnvironment);
    await this.until('the first node leads', () => first.serves > 0);
    first.mayEnd = true;
    first.signal('SIGTERM');
    const { code } = await first.exit;
    if (code !== 0) throw new Error(`the first node ended with ${code}:\n${first.tail()}`);
  }

  get firstEnvironment() {
    const file = join(this.folder, 'definitions.json');
    writeFileSync(file, JSON.stringify(this.definitions));
    return { LEVERET_LOAD_DEFINITIONS: file };
  }

  /** Listens to what nodes tell one another. */
  async watch() {
    const { openNatsLog } = await import(join(this.dist, 'store/replicated/nats/open.js'));
    const { readNodeRow } = await import(join(this.dist, 'cluster/node-row.js'));
    this.client = await openNatsLog(this.place());
    this.client.onTold((part, bytes) => {
      const row = part === 'node' ? readNodeRow(bytes) : null;
      if (row === null) return;
      const before = this.rows.get(row.node)?.ignored ?? 0;
      this.ignored += Math.max(0, row.ignored - before);
      this.rows.set(row.node, { ...row, t: now() });
    });
  }

  /** Where the log is, for a client that is none of the nodes. */
  place() {
    return {
      servers: this.nats.addresses,
      login: { credentials: null, user: null, password: null, token: null },
      tls: null,
      cluster: 'crash',
      group: this.group,
      secretOf: 'main',
      node: 'watch',
      replicas: this.nats.count,
      logBytesMax: 0,
      monitor: [],
      requireSync: false,
    };
  }

  heard(node, event) {
    if (event.msg === 'this node leads') {
      this.terms.push({ epoch: event.epoch, node: node.index, t: event.t });
      this.terms.sort((a, b) => a.epoch - b.epoch);
    }
    this.hear(node, event);
  }

  // ---- who leads --------------------------------------------------------------------------------

  /** The node that serves in the newest term that any serves in, or null. One that is paused may believe that it does. */
  get leader() {
    const [first] = [...this.nodes].sort((a, b) => b.serves - a.serves);
    return first.serves > 0 ? first : null;
  }

  /** The newest term in which a node serves. */
  get epoch() {
    return this.leader?.serves ?? 0;
  }

  get followers() {
    const { leader } = this;
    return this.nodes.filter((node) => node !== leader && node.runs);
  }

  urlOf({ host, port }) {
    return `amqp://${LOGIN.user}:${LOGIN.password}@${host}:${port}/${LOGIN.vhost}`;
  }

  /** All hosts. */
  get urls() {
    return this.nodes.map((node) => this.urlOf(node));
  }

  /** Of the leader, or where there is none of any. */
  get url() {
    return this.urlOf(this.leader ?? this.nodes[0]);
  }

  get managementHost() {
    return (this.leader ?? this.nodes[0]).host;
  }

  get managementPort() {
    return (this.leader ?? this.nodes[0]).managementPort;
  }

  /** In which term a connection was made that a node took at a time. */
  termAt(index, t) {
    const { epoch } = this.terms.findLast((term) => term.node === index && term.t <= t) ?? {};
    if (epoch === undefined) throw new Error(`n${index} took a connection and never led`);
    return epoch;
  }

  // ---- waiting ----------------------------------------------------------------------------------

  async until(what, condition, limitMs = LIMIT_MS) {
    const startedAt = now();
    while (!(await condition())) {
      if (now() - startedAt > limitMs * 1000) {
        throw new Error(`not after ${limitMs} ms: ${what}\n${this.tail()}`);
      }
      await sleep(AGAIN_MS);
    }
  }

  /** Resolves once a node serves in a later term. */
  async leadsAfter(epoch) {
    await this.until(`another node leads after ${epoch}`, () => this.epoch > epoch);
  }

  /** Resolves once all nodes and servers run, one leads, and all have what the log has now. */
  async whole() {
    await this.nats.healthy();
    await this.until('all nodes run', () => {
      return this.leader !== null && this.nodes.every(({ runs }) => runs);
    });
    let last = 0;
    await this.until('the log answers', async () => {
      last = await this.client.state().then(
        (state) => state.last,
        () => 0,
      );
      return last > 0;
    });
    const asked = now();
    await this.until(`all nodes have record ${last}`, () => {
      const { leader } = this;
      return this.nodes.every((node) => {
        const row = this.rows.get(node.name);
        const isThere = row !== undefined && row.t > asked && row.applied >= last;
        return isThere && (node === leader || node.follows);
      });
    });
  }

  // ---- the end ----------------------------------------------------------------------------------

  killNow() {
    for (const node of this.nodes) {
      node.mayEnd = true;
      node.signal('SIGKILL');
    }
    this.nats.killNow();
    for (const way of this.ways) way.close();
    this.network.close();
  }

  tail() {
    return this.nodes.map((node) => `--- ${node.name}\n${node.tail()}`).join('\n');
  }
}
