// The supervisor of the crash test of a cluster: the load and the judge of the other crash tests, with nodes, servers of the
// log and ways that fail one after the other while clients go on. A term of a leader is what a broker process is there.
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { askAll } from '../client-process.mjs';
import { createRandom } from '../random.mjs';
import { CrashRun, cleanly } from '../supervise.mjs';
import { Cluster } from './cluster.mjs';
import { compareTables } from './equal.mjs';
import { deal } from './faults.mjs';
import { figuresOf, waitsOf } from './figures.mjs';
import { Namespaces, OneMachine } from './network.mjs';
import { CLIENTS, PACE } from './topology.mjs';

const MACHINES = ['n0', 'n1', 'n2', 's0', 's1', 's2'];

/** After so many faults all is drained and judged. */
const PART_FAULTS = 15;
const SMALL_SHARE = 0.6;
const REST_SHARE = 0.15;
const TRIES = 10;
/** Within this time it is known that a leader is none any more. */
const AGAIN_MS = 1000;

/**
 * @typedef {object} ClusterPlan
 * @property {string} leveret the path of bin/leveret
 * @property {number} failovers how often another node has to take the lead, besides other faults
 * @property {string} [dist] the modules that look at what nodes say and have; those of that build unless given
 * @property {readonly string[]} [only] these faults alone, of which there are so many then
 * @property {boolean} [netns] whether the machines are network namespaces, whose cables can be pulled
 * @property {string} seed
 * @property {string} folder an empty folder
 * @property {(line: string) => void} print
 */

/** Runs the whole test: violations and sums of all parts, and the history of the last one. */
export async function runClusterTest(/** @type {ClusterPlan} */ plan, Run = ClusterRun) {
  const random = createRandom(`${plan.seed} cluster`);
  const size = random.chance(SMALL_SHARE) ? 'small' : 'large';
  let run = null;
  const dist = plan.dist ?? join(dirname(resolve(plan.leveret)), '../dist');
  const network = plan.netns ? new Namespaces(MACHINES) : new OneMachine();
  const own = { ...plan, dist, size, network };
  const cluster = new Cluster(own, (node, event) => run.heard(node, event));
  run = new Run({ ...plan, broker: 'leveret' }, cluster);
  run.counts[`runs with a ${size} log`] = 1;
  return await cleanly(run);
}

export class ClusterRun extends CrashRun {
  /** Faults of this part, and between which times their effect is looked for. */
  windows = [];
  waits = [];
  failovers = 0;

  get clients() {
    return CLIENTS;
  }

  howToConnect() {
    return { urls: this.broker.urls, ...PACE };
  }

  async startBroker() {
    const startedAt = now();
    await this.broker.start();
    this.startMs.push(Math.round((now() - startedAt) / 1000));
  }

  /** What nodes say, each line of it. */
  heard(node, event) {
    const { msg } = event;
    if (msg === 'ended by itself') {
      this.ownEnd(
        new Error(`${node.name} ended by itself, ${JSON.stringify(event.ended)}:\n${node.tail()}`),
      );
    }
    if (msg === 'this node leads') this.count('terms');
    if (msg === 'a snapshot was put in place') this.count('joins by snapshot');
    if (msg === 'snapshot made') this.count('snapshots');
    if (msg === 'snapshot dropped') this.count('snapshots dropped');
    if (msg === 'the log was trimmed') this.count('trims of the log');
  }

  async runRounds() {
    await this.startBroker();
    await this.setUp();
    this.startClients();
    const random = createRandom(`${this.plan.seed} faults`);
    let faults = 0;
    const { canCut } = this.broker.network;
    for (const fault of deal(random, { only: this.plan.only, canCut })) {
      faults += 1;
      await this.playFault(fault, random);
      if (fault.fails || this.plan.only !== undefined) this.failovers += 1;
      const last = this.failovers === this.plan.failovers;
      if (last || faults % PART_FAULTS === 0) await this.endPart(last);
      if (last) break;
    }
    await this.compare();
    return this.result();
  }

  async playFault(fault, random) {
    const cluster = this.broker;
    this.churn.start();
    const resting = this.random.chance(REST_SHARE);
    await askAll(this.consumers, { ask: 'rest', on: resting });
    await sleep(random.int(200, 2500));
    await this.reading;
    // Another one may have taken the lead meanwhile.
    await cluster.until('a node leads', () => cluster.leader !== null);
    const from = now();
    const { epoch } = cluster;
    const scene = {
      cluster,
      random,
      leaveHost: (host) =>
        askAll([...this.publishers, ...this.consumers], { ask: 'leaveHost', host }),
      incident: (rule, text) => this.incidents.push({ rule, text }),
      count: (name, by) => this.count(name, by),
    };
    await fault.run(scene);
    await cluster.whole();
    const to = now();
    this.windows.push({ name: fault.name, from, to, epoch });
    if (!fault.fails && cluster.epoch > epoch) this.count('changes of the leader besides');
    this.churn.leave();
    await this.churn.ended();
    if (cluster.epoch === epoch) this.churn.keepTransient();
    await this.lookAtTicks();
    this.reading = this.readStream();
    const ms = Math.round((to - from) / 1000);
    const rest = Math.round((now() - to) / 1000);
    this.plan.print(
      `${this.failovers}: ${fault.name}, whole again after ${ms} ms, looked up in ${rest} ms`,
    );
  }

  // ---- what asks the leader, which may change meanwhile -----------------------------------------

  lookAtTicks() {
    return this.again(() => super.lookAtTicks());
  }

  drain() {
    return this.again(() => super.drain());
  }

  async readStream() {
    await this.again(async () => {
      const { epoch } = this.broker;
      const before = this.incidents.length;
      await super.readStream();
      if (this.broker.epoch !== epoch) this.incidents.splice(before);
    });
  }

  async again(act) {
    for (let tried = 1; ; tried++) {
      // On a machine that is too busy a lease runs out at any time.
      await this.broker.until('a node leads', () => this.broker.leader !== null);
      const { epoch } = this.broker;
      try {
        return await act();
      } catch (error) {
        await sleep(AGAIN_MS);
        if (tried === TRIES || this.broker.epoch === epoch) throw error;
      }
    }
  }

  // ---- the end of a part ------------------------------------------------------------------------

  async killDrained() {
    const cluster = this.broker;
    const { leader, epoch } = cluster;
    await leader.kill();
    this.count('kill -9 when drained');
    await this.churn.ended();
    leader.start();
    await cluster.leadsAfter(epoch);
    await cluster.whole();
    return epoch;
  }

  read(name) {
    const entries = super.read(name);
    for (const entry of entries) {
      if (entry.e === 'open') entry.spawn = this.broker.termAt(entry.host, entry.at);
    }
    return entries;
  }

  terms() {
    const { terms, pauses, hurries, pulls } = this.broker;
    return { terms, pauses, hurries, pulls };
  }

  async judge(drainedSpawn) {
    await super.judge(drainedSpawn);
    this.waits.push(...waitsOf(this.windows.splice(0), confirmsOf(this.history)));
    this.plan.print(`judged: ${JSON.stringify(this.broken)} broken so far`);
  }

  // ---- the end ----------------------------------------------------------------------------------

  /** Stops all nodes cleanly, and compares what they have. */
  async compare() {
    const cluster = this.broker;
    for (const { child } of [...this.publishers, ...this.consumers]) child.kill('SIGKILL');
    await cluster.whole();
    for (const node of cluster.nodes) node.mayEnd = true;
    for (const node of cluster.nodes) node.signal('SIGTERM');
    for (const node of cluster.nodes) {
      const { code } = await node.exit;
      if (code !== 0) this.keep({ rule: 'I11', text: `${node.name}: ${code}\n${node.tail()}` });
    }
    const { faults, rows, place } = await compareTables(cluster);
    for (const text of faults) this.keep({ rule: 'I25', text });
    this.counts['rows compared'] = rows;
    this.plan.print(`all nodes stopped at ${place}`);
    await cluster.client.close();
  }

  result() {
    const { counts } = this;
    counts['stale records that nodes ignored'] = this.broker.ignored;
    counts['failovers that were forced'] = this.failovers;
    Object.assign(counts, figuresOf(this.waits));
    const { violations, broken, history } = this;
    return { violations, broken, counts, history };
  }
}

function confirmsOf({ journals }) {
  const confirms = [];
  for (const journal of Object.values(journals)) {
    const epochs = new Map();
    for (const { e, conn, spawn, t } of journal) {
      if (e === 'open') epochs.set(conn, spawn);
      else if (e === 'conf') confirms.push({ t, epoch: epochs.get(conn) });
    }
  }
  return confirms;
}
