// The supervisor of the crash test of a cluster with groups of vhosts: the load and the judge of the other crash tests, on one
// vhost that is moved back and forth between two groups while their nodes fail.
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { askAll, readJournal } from '../client-process.mjs';
import { compareTables } from '../cluster/equal.mjs';
import { OneMachine } from '../cluster/network.mjs';
import { ClusterRun } from '../cluster/supervise.mjs';
import { createRandom } from '../random.mjs';
import { cleanly } from '../supervise.mjs';
import { LOGIN } from '../topology.mjs';
import { ask } from './ask.mjs';
import { Directory } from './directory.mjs';
import { deal } from './faults.mjs';
import { Groups } from './groups.mjs';
import { clientsOf, PACE } from './topology.mjs';

/** After so many moves all is drained and judged. */
const PART_MOVES = 15;
const REST_SHARE = 0.2;
const LOAD_MS = [200, 2000];
const MOVE_LIMIT_MS = 90_000;
const AGAIN_MS = 100;
/** Tables whose rows are those of queues, exchanges, messages and streams; see src/store/tables.ts. */
const OF_CONTENTS = [2, 4, 5, 8, 9, 10, 11, 12, 13, 15];

/**
 * @typedef {object} GroupsPlan
 * @property {string} leveret the path of bin/leveret
 * @property {number} moves how often the vhost is sent to the other group
 * @property {number} servers of NATS: 1 or 3
 * @property {number} backlog how many messages a queue is filled with
 * @property {readonly string[]} [only] these faults alone
 * @property {string} seed
 * @property {string} folder an empty folder
 * @property {(line: string) => void} print
 */

/** Runs the whole test: violations and sums of all parts, and the history of the last one. */
export async function runGroupsTest(/** @type {GroupsPlan} */ plan) {
  let run = null;
  const dist = join(dirname(resolve(plan.leveret)), '../dist');
  const own = { ...plan, dist, network: new OneMachine() };
  const groups = new Groups(own, (node, event) => run.heard(node, event));
  run = new GroupsRun({ ...plan, broker: 'leveret' }, groups);
  return await cleanly(run);
}

class GroupsRun extends ClusterRun {
  /** What each move that nothing disturbed has taken. */
  figures = [];
  started = 0;
  /** When clients were sent away for a move: the broker that does so gives what one had to another that is there still. */
  sentAway = [];
  directory = new Directory(this.broker, createRandom(`${this.plan.seed} users`));

  get clients() {
    return clientsOf(this.plan.backlog);
  }

  howToConnect() {
    return { urls: this.broker.urls, ...PACE };
  }

  heard(node, event) {
    super.heard(node, event);
    if (event.msg === 'a vhost leaves') this.count('departures');
    if (event.msg === 'a vhost has arrived') this.count('arrivals');
    if (event.msg === 'what was in a vhost that is elsewhere is dropped') this.count('drops');
  }

  async runRounds() {
    await this.startBroker();
    await this.setUp();
    this.startClients();
    const random = createRandom(`${this.plan.seed} moves`);
    for (const fault of deal(random, this.plan.only)) {
      this.started += 1;
      await this.playMove(fault, random);
      const last = this.started === this.plan.moves;
      if (last || this.started % PART_MOVES === 0) await this.endPart(last);
      if (last) break;
    }
    await this.compare();
    return this.result();
  }

  // ---- a move -----------------------------------------------------------------------------------

  async playMove(fault, random) {
    const groups = this.broker;
    this.churn.start();
    await askAll(this.consumers, { ask: 'rest', on: this.random.chance(REST_SHARE) });
    await sleep(random.int(...LOAD_MS));
    await this.reading;
    await groups.until('all leads', () => groups.main.leader && groups.jobs.leader);
    const { epoch, home: source, away: target } = groups;
    const size = await this.sizeOf();
    const from = now();
    await this.begin(target);
    let ended = false;
    const scene = {
      ...{ groups, source, target, random, over: () => ended },
      leaveHost: (host) =>
        askAll([...this.publishers, ...this.consumers], { ask: 'leaveHost', host }),
      count: (name, by) => this.count(name, by),
    };
    const acting = fault.run(scene);
    const ms = await this.settled(source, target, from);
    ended = true;
    await acting;
    // It may have been called off after all.
    await this.settled(source, target, from);
    const moved = groups.place.group === target.group;
    this.count(moved ? 'moves' : 'moves that did not come about');
    if (moved && fault.name === 'none') this.figures.push({ ms, ...size });
    await groups.whole();
    await groups.until('both groups know where it is', () => this.directory.agree('/vhosts'));
    await this.directory.change();
    this.churn.leave();
    await this.churn.ended();
    if (groups.epoch === epoch) this.churn.keepTransient();
    await this.lookAtTicks();
    this.reading = this.readStream();
    const end = moved ? `in ${target.group} after` : `still in ${source.group} after`;
    this.plan.print(`${this.started}: ${fault.name}: ${end} ${ms} ms, ${size.messages} messages`);
  }

  /** Sends it on its way; that may need some tries while nodes have just begun. */
  async begin(target) {
    const groups = this.broker;
    await groups.until(`the move to ${target.group} begins`, async () => {
      const t = now();
      const status = await groups.send(target.group);
      if (status < 300) this.sentAway.push(t);
      else await sleep(AGAIN_MS);
      return status < 300;
    });
    await groups.until(`the move to ${target.group} is known`, async () => {
      await groups.lookOnce();
      return groups.place.to === target.group || groups.place.group === target.group;
    });
  }

  /** Waits until it is in one place for good; how long that took since the move began, ms. */
  async settled(source, target, from) {
    const groups = this.broker;
    const isSettled = () => {
      const { group, to, fault } = groups.place;
      if (fault !== null) {
        const text = `the move from ${source.group} to ${target.group}: ${fault}`;
        throw new Error(text);
      }
      return to === null && (group === target.group || group === source.group);
    };
    await groups.until('the vhost has come to rest', isSettled, MOVE_LIMIT_MS);
    return Math.round((now() - from) / 1000);
  }

  /** Messages and bytes that are in it now, about. */
  async sizeOf() {
    const { leader } = this.broker;
    const answer = leader === null ? null : await ask(leader, 'GET', `/queues/${LOGIN.vhost}`);
    const rows = answer?.json ?? [];
    const sum = (field) => rows.reduce((all, row) => all + (row[field] ?? 0), 0);
    return { messages: sum('messages'), bytes: sum('message_bytes') };
  }

  // ---- the end of a part ------------------------------------------------------------------------

  async killDrained() {
    const groups = this.broker;
    const { leader, epoch } = groups.home;
    const drained = groups.tenures.at(now());
    await leader.kill();
    this.count('kill -9 when drained');
    await this.churn.ended();
    leader.start();
    await groups.home.leadsAfter(epoch);
    await groups.whole();
    return drained;
  }

  read(name) {
    const entries = readJournal(this.journalOf(name));
    const { tenures } = this.broker;
    for (const entry of entries) {
      if (entry.e === 'open') entry.spawn = tenures.of(entry.port, entry.at);
      if (entry.e === 'reading') entry.spawn = tenures.at(entry.t);
    }
    return [
      ...entries,
      ...this.sentAway
        .slice()
        .reverse()
        .flatMap((t) => leavesAt(entries, t)),
    ];
  }

  terms() {
    const { main, jobs, tenures } = this.broker;
    const pauses = [main, jobs].flatMap((group) =>
      group.pauses.map(({ epoch, t }) => ({ epoch: tenures.in(group.group, epoch, t), t })),
    );
    return { terms: tenures.all.map(({ t }, epoch) => ({ epoch, t })), pauses, hurries: [] };
  }

  // ---- the end ----------------------------------------------------------------------------------

  /** Stops all nodes cleanly, and compares what they have; the vhost must be in one group alone. */
  async compare() {
    const groups = this.broker;
    for (const { child } of [...this.publishers, ...this.consumers]) child.kill('SIGKILL');
    await groups.whole();
    for (const text of await this.directory.faults()) this.keep({ rule: 'I26', text });
    await this.isElsewhere();
    groups.stopped = true;
    await groups.looking;
    for (const group of [groups.main, groups.jobs]) await this.stopAll(group);
  }

  async isElsewhere() {
    const groups = this.broker;
    const left = async () => {
      const { json } = (await ask(groups.away.leader, 'GET', '/queues')) ?? { json: null };
      return json === null ? ['no answer'] : json.map(({ name }) => name);
    };
    let names = [];
    const isEmpty = async () => {
      names = await left();
      return names.length === 0;
    };
    await groups.until('the other group has nothing', isEmpty, 30_000).catch(() => {
      const text = `the group ${groups.away.group} has queues still: ${names.join(' ')}`;
      this.keep({ rule: 'I26', text });
    });
  }

  async stopAll(group) {
    for (const node of group.nodes) {
      node.mayEnd = true;
      node.signal('SIGTERM');
    }
    for (const node of group.nodes) {
      const { code } = await node.exit;
      if (code !== 0) this.keep({ rule: 'I11', text: `${node.name}: ${code}\n${node.tail()}` });
    }
    const { faults, rows, tables, place } = await compareTables(group);
    for (const text of faults) this.keep({ rule: 'I25', text });
    this.count('rows compared', rows);
    if (group === this.broker.away) this.judgeTables(group, tables);
    this.plan.print(`all nodes of ${group.group} stopped at ${place}: ${JSON.stringify(tables)}`);
    await group.client.close();
  }

  /** All that a vhost has is gone from a group that it left, but for the part of the log of messages that is written now. */
  judgeTables({ group }, tables) {
    const rows = OF_CONTENTS.filter((table) => tables[table] !== undefined);
    if (rows.length === 0) return;
    const text = `the group ${group} has rows still: ${JSON.stringify(tables)}`;
    this.keep({ rule: 'I26', text });
  }

  result() {
    const { broken, counts, figures, history, violations } = this;
    counts['tenures of the vhost'] = this.broker.tenures.all.length;
    for (const { ms, messages, bytes } of figures.sort((a, b) => a.messages - b.messages)) {
      const size = `${messages} messages, ${(bytes / 1e6).toFixed(1)} MB`;
      counts[`move of ${size}`] = `${ms} ms`;
    }
    return { violations, broken, counts, history };
  }
}

/**
 * What the clients of a process would have noted had they left then of their own accord: their last connections of before. They
 * note it themselves once they have read all that came before.
 */
function leavesAt(entries, t) {
  const last = new Map();
  const left = new Map();
  for (const entry of entries) {
    const { e, conn, at } = entry;
    if (e === 'open' && at < t) last.set(conn.slice(0, conn.indexOf('#')), conn);
    else if (e === 'leave') left.set(conn, left.get(conn) ?? entry.t);
  }
  const isOpen = (conn) => (left.get(conn) ?? t) >= t;
  return [...last.values()].filter(isOpen).map((conn) => ({ e: 'leave', conn, t }));
}
