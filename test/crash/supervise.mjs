// The supervisor of the crash test: starts the broker, publishers and consumers in processes of
// their own, kills the broker again and again, then drains it and has the journals judged.
import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { Broker, findFreePort } from './broker.mjs';
import { check } from './check.mjs';
import { Churn } from './churn.mjs';
import { Journal, now } from './client.mjs';
import { askAll, ClientProcess, readJournal } from './client-process.mjs';
import { createPool } from './message.mjs';
import { createRandom } from './random.mjs';
import { lagOf, readWhole } from './reader.mjs';
import { lookAtTicks } from './ticks.mjs';
import { BARRIER, CONSUMERS, declareTopology, PUBLISHERS, queuesOf, STREAM } from './topology.mjs';

/** After this many rounds everything is drained and judged, so that long runs stay small. */
const PART_ROUNDS = 20;
/** How many rounds leave the queues to grow, so that a kill and a start meet long ones too. */
const REST_SHARE = 0.25;
const STOP_LIMIT_MS = 60_000;
const CONFIRM_LIMIT_MS = 60_000;
const DRAIN_LIMIT_MS = 90_000;
const VIOLATIONS_KEPT = 20;

/**
 * @typedef {object} Plan
 * @property {'leveret' | 'rabbitmq'} broker
 * @property {string} leveret the path of bin/leveret
 * @property {number} rounds
 * @property {string} seed
 * @property {string} folder an empty folder for data, journals and the broker's log
 * @property {(line: string) => void} print
 */

/** Runs the whole test: violations and sums of all parts, and the history of the last one. */
export async function runCrashTest(/** @type {Plan} */ plan) {
  const managementPort = await findFreePort();
  const broker = new Broker(
    { ...plan, managementPort },
    await findFreePort(),
    await findFreePort(),
  );
  return await cleanly(new CrashRun(plan, broker));
}

/** Runs it; none of its processes is left behind. */
export async function cleanly(/** @type {CrashRun} */ run) {
  const cleanUp = () => run.killEverything();
  process.once('exit', cleanUp);
  try {
    return await run.run();
  } finally {
    cleanUp();
    process.removeListener('exit', cleanUp);
  }
}

export class CrashRun {
  constructor(plan, broker) {
    this.plan = plan;
    this.random = createRandom(plan.seed);
    this.broker = broker;
    this.publishers = [];
    this.consumers = [];
    this.part = 0;
    this.seqBase = {};
    /** @type {{ rule: string, text: string }[]} */
    this.incidents = [];
    const random = createRandom(`${plan.seed} churn`);
    this.churn = new Churn(this.broker, random, this.incidents);
    this.violations = [];
    this.broken = {};
    this.counts = {};
    this.startMs = [];
    /** What schedules say and what their queue has, after each start. */
    this.ticks = [];
    this.history = null;
    this.pool = createPool(plan.seed);
    /** The reading of the stream under way, and the last one. */
    this.reading = Promise.resolve();
    this.lastReading = null;
  }

  /** A broker that ends by itself ends the run at once: nothing more can be learnt. */
  run() {
    const ownEnd = new Promise((_, reject) => {
      this.ownEnd = reject;
    });
    return Promise.race([this.runRounds(), ownEnd]);
  }

  async runRounds() {
    const { rounds } = this.plan;
    await this.startBroker();
    await this.setUp();
    this.startClients();
    for (let round = 1; round <= rounds; round++) {
      await this.playRound(round);
      if (round % PART_ROUNDS === 0 || round === rounds) await this.endPart(round === rounds);
    }
    return this.result();
  }

  killEverything() {
    this.broker.killNow();
    for (const { child } of [...this.publishers, ...this.consumers]) child.kill('SIGKILL');
  }

  // ---- starting -------------------------------------------------------------------------------

  async startBroker() {
    this.broker.spawn();
    const { exit } = this.broker;
    this.startMs.push(await this.broker.listening());
    this.expectExit = false;
    exit.then(({ code, signal }) => {
      if (this.expectExit) return;
      const how = `the broker ended by itself, code ${code}, signal ${signal}`;
      this.ownEnd(new Error(`${how}:\n${this.broker.tail()}`));
    });
  }

  async setUp() {
    const model = await connect(this.broker.url);
    await declareTopology(await model.createChannel(), this.plan.broker);
    await model.close();
  }

  startClients() {
    mkdirSync(this.partFolder(), { recursive: true });
    this.readings = new Journal(this.journalOf('reader'));
    const { publishers, consumers } = this.clients;
    this.publishers = publishers.map((clients, i) => this.startClient('publisher', i, clients));
    this.consumers = consumers.map((clients, i) => this.startClient('consumer', i, clients));
  }

  /** Those that a process has, for each process. */
  get clients() {
    return { publishers: PUBLISHERS, consumers: CONSUMERS };
  }

  startClient(program, index, clients) {
    const name = `${program}-${index + 1}`;
    const { broker, seed } = this.plan;
    const config = {
      ...this.howToConnect(),
      broker,
      run: seed,
      journal: this.journalOf(name),
      clients,
    };
    const path = fileURLToPath(new URL(`${program}.mjs`, import.meta.url));
    return new ClientProcess(name, fork(path, [JSON.stringify(config)]), this.incidents);
  }

  /** How clients find the broker, and how busy they are. */
  howToConnect() {
    return { urls: [this.broker.url] };
  }

  partFolder() {
    return join(this.plan.folder, `part-${this.part + 1}`);
  }

  journalOf(name) {
    return join(this.partFolder(), `${name}.jsonl`);
  }

  // ---- a round --------------------------------------------------------------------------------

  async playRound(round) {
    this.churn.start();
    const resting = this.random.chance(REST_SHARE);
    await askAll(this.consumers, { ask: 'rest', on: resting });
    if (resting) this.count('rounds without consumers');
    const loadMs = this.random.chance(0.3) ? this.random.int(20, 300) : this.random.int(300, 1500);
    await sleep(this.plan.broker === 'rabbitmq' ? loadMs + 1000 : loadMs);
    await this.reading;
    const roll = this.random.next();
    const kind = roll < 0.15 ? 'SIGTERM' : roll < 0.4 ? 'start-up' : 'kill -9';
    this.expectExit = true;
    if (kind === 'SIGTERM') await this.stopBroker();
    else await this.broker.kill();
    this.count(kind === 'SIGTERM' ? 'stops by SIGTERM' : 'kill -9 under load');
    await this.churn.ended();
    if (kind === 'start-up') await this.killStarts();
    await this.startBroker();
    await this.lookAtTicks();
    this.reading = this.readStream();
    this.plan.print(
      `round ${round}: ${loadMs} ms of load, ${kind}, listening again after ${this.startMs.at(-1)} ms`,
    );
  }

  async lookAtTicks() {
    // No other broker has schedules.
    if (this.plan.broker === 'leveret') this.ticks.push(await lookAtTicks(this.broker));
  }

  /** Reads it as a whole, while the load of the next round begins. */
  async readStream() {
    if (this.plan.broker !== 'leveret') return;
    try {
      this.lastReading = await readWhole(this.broker, this.plan.seed, this.pool);
      this.readings.note(this.lastReading);
    } catch (error) {
      this.incidents.push({ rule: 'I11', text: `reading the stream: ${error.message}` });
    }
  }

  async stopBroker() {
    const ended = await this.broker.stop(STOP_LIMIT_MS);
    if (ended === null) {
      this.incidents.push({ rule: 'I11', text: `SIGTERM: still there after ${STOP_LIMIT_MS} ms` });
    } else if (ended.code !== 0) {
      const text = `SIGTERM: exit code ${ended.code}, signal ${ended.signal}`;
      this.incidents.push({ rule: 'I11', text: `${text}:\n${this.broker.tail()}` });
    }
  }

  /** A start must bear being killed, again and again. */
  async killStarts() {
    for (let times = this.random.int(1, 3); times > 0; times--) {
      this.broker.spawn();
      await sleep(this.random.int(0, 300) * (this.plan.broker === 'rabbitmq' ? 10 : 1));
      await this.broker.kill();
      this.count('kill -9 during start');
    }
  }

  // ---- the end of a part ----------------------------------------------------------------------

  /** Stops, drains, kills once more to see that nothing settled comes back, and judges. */
  async endPart(last) {
    this.churn.start();
    await askAll(this.publishers, { ask: 'publish', on: false });
    const confirmed = await this.waitFor(this.publishers, CONFIRM_LIMIT_MS);
    if (confirmed !== null) this.incidents.push({ rule: 'I11', text: `unconfirmed: ${confirmed}` });
    await askAll(this.consumers, { ask: 'rest', on: false });
    await askAll(this.consumers, { ask: 'drain', on: true });
    await this.drain();
    await this.reading;
    const drainedSpawn = await this.killDrained();
    await this.drain();
    await this.churn.verifyOnly();
    await this.lookAtTicks();
    await this.readStream();
    await this.judge(drainedSpawn);
    if (!last) await this.beginPart();
  }

  /** Kills the broker once nothing is left in it, and starts it again; which process it was that was drained. */
  async killDrained() {
    const drainedSpawn = this.broker.spawns.length - 1;
    this.expectExit = true;
    await this.broker.kill();
    this.count('kill -9 when drained');
    await this.churn.ended();
    await this.startBroker();
    return drainedSpawn;
  }

  async beginPart() {
    this.part++;
    mkdirSync(this.partFolder(), { recursive: true });
    this.readings.turnTo(this.journalOf('reader'));
    if (this.lastReading !== null) this.readings.note({ ...this.lastReading, before: true });
    const everyone = [...this.publishers, ...this.consumers];
    for (const client of everyone) {
      await client.ask({ ask: 'turn', journal: this.journalOf(client.name) });
    }
    await askAll(this.consumers, { ask: 'drain', on: false });
    await askAll(this.publishers, { ask: 'publish', on: true });
  }

  /** Polls until every process says it is idle; what the others said, or null when all are. */
  async waitFor(clients, limitMs) {
    const startedAt = now();
    for (;;) {
      const states = await askAll(clients, { ask: 'status' });
      const busy = states.filter(({ idle }) => !idle);
      if (busy.length === 0) return null;
      if (now() - startedAt > limitMs * 1000) return JSON.stringify(busy);
      await sleep(20);
    }
  }

  async drain() {
    const startedAt = now();
    const model = await connect(this.broker.url);
    model.on('error', () => {});
    const channel = await model.createChannel();
    for (;;) {
      const leftMs = DRAIN_LIMIT_MS - (now() - startedAt) / 1000;
      const busy = await this.waitFor(this.consumers, leftMs);
      const depths = [];
      for (const queue of Object.keys(queuesOf(this.plan.broker))) {
        const { messageCount } = await channel.checkQueue(queue);
        const left = queue === STREAM ? await lagOf(this.broker) : messageCount;
        if (left > 0) depths.push(`${queue}: ${left}`);
      }
      if (busy === null && depths.length === 0) break;
      if (leftMs < 0) {
        const text = `not drained after ${DRAIN_LIMIT_MS} ms: ${busy} ${depths.join(', ')}`;
        this.incidents.push({ rule: 'I11', text });
        break;
      }
      await sleep(20);
    }
    await channel.purgeQueue(BARRIER);
    await model.close();
  }

  /** What is promised of the queues: RabbitMQ holds no step until it is durable. */
  plans() {
    const queues = queuesOf(this.plan.broker);
    if (this.plan.broker === 'leveret') return queues;
    const plain = Object.entries(queues).map(([name, plan]) => [name, { ...plan, held: false }]);
    return Object.fromEntries(plain);
  }

  async judge(drainedSpawn) {
    const everyone = [...this.publishers, ...this.consumers];
    await askAll(everyone, { ask: 'flush' });
    this.readings.flush();
    const journals = { reader: this.read('reader') };
    for (const { name } of everyone) journals[name] = this.read(name);
    this.history = {
      spawns: this.broker.spawns,
      ...this.terms(),
      drainedSpawn,
      queues: this.plans(),
      seqBase: { ...this.seqBase },
      journals,
      lookups: this.churn.lookups,
      ticks: this.ticks.splice(0),
      incidents: this.incidents.splice(0),
    };
    this.churn.lookups = [];
    const { violations, counts } = check(this.history);
    for (const violation of violations) this.keep(violation);
    for (const [name, n] of Object.entries(counts)) this.count(name, n);
    for (const { seqs, unsupported } of await askAll(this.publishers, { ask: 'status' })) {
      Object.assign(this.seqBase, seqs);
      if (unsupported > 0) this.counts['publishers without tx'] = unsupported;
    }
  }

  read(name) {
    return readJournal(this.journalOf(name));
  }

  /** What the judge has to know of a cluster besides. */
  terms() {
    return {};
  }

  /** The first of each rule are kept to be shown, all are counted. */
  keep(violation) {
    const { rule } = violation;
    this.broken[rule] = (this.broken[rule] ?? 0) + 1;
    if (this.broken[rule] <= VIOLATIONS_KEPT) this.violations.push(violation);
  }

  count(name, by = 1) {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  result() {
    const sorted = [...this.startMs].sort((a, b) => a - b);
    this.counts['start, median ms'] = sorted[sorted.length >> 1];
    this.counts['start, longest ms'] = sorted.at(-1);
    const { violations, broken, counts, history } = this;
    return { violations, broken, counts, history };
  }
}
