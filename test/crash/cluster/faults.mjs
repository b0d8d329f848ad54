// What happens to a cluster under load, one at a time. Each fault resolves once it is over and its cause is mended; the caller
// waits until the cluster is whole. Never judges.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { LEASE_MS } from './cluster.mjs';
import { CUTS } from './cuts.mjs';
import { TimeWitness } from './time-witness.mjs';

const STOP_LIMIT_MS = 60_000;
const BITS_CHANGED = 200;
/** How long a large batch is waited for. */
const PART_LIMIT_MS = 5000;
const MINUTE_MS = 60_000;
/** A node has noticed by then that its clock was set. */
const NOTICED_MS = 100;

/**
 * @typedef {object} Scene
 * @property {import('./cluster.mjs').Cluster} cluster
 * @property {import('../random.mjs').Random} random
 * @property {(host: number) => Promise<void>} leaveHost has clients give up their connections to a node
 * @property {(rule: string, text: string) => void} incident
 * @property {(name: string, by?: number) => void} count
 */

/** How often each comes in a deck, and whether another node has to lead after it. */
export const FAULTS = [
  { name: 'kill -9 of the leader', times: 4, fails: true, run: killLeader },
  { name: 'SIGSTOP of the leader', times: 3, fails: true, run: pauseLeader },
  { name: 'SIGTERM of the leader', times: 2, fails: true, run: stopLeader },
  { name: 'what the leader sends is held back', times: 3, fails: true, run: holdLeader },
  { name: 'the leader is cut off', times: 1, fails: true, run: cutLeader },
  { name: "the leader's time of day is set", times: 2, fails: true, run: setLeadersTime },
  { name: "the leader's machine is suspended", times: 2, fails: true, run: suspendLeader },
  { name: "the leader's clocks stand still", times: 1, fails: true, run: stopLeadersClocks },
  { name: "a follower's clocks run ahead", times: 1, fails: false, run: hurryFollower },
  { name: 'kill -9 of a follower', times: 1, fails: false, run: killFollower },
  { name: 'a follower loses its folder', times: 2, fails: false, run: wipeFollower },
  { name: "kill -9 of the log's first server", times: 1, fails: false, run: killFirstServer },
  { name: 'kill -9 of another server', times: 1, fails: false, run: killOtherServer },
  { name: 'SIGSTOP of a follower', times: 1, fails: false, run: pauseFollower },
  { name: "SIGSTOP of the log's first server", times: 1, fails: false, run: pauseFirstServer },
  { name: 'SIGSTOP of another server', times: 1, fails: false, run: pauseOtherServer },
];

/**
 * An endless order of faults, or of those that are named: each so often as it has to come, before any comes more often.
 * `canCut`: whether the network is one that can be cut.
 */
export function* deal(random, { only, canCut }) {
  const all = canCut ? [...FAULTS, ...CUTS] : FAULTS;
  const faults = all.filter(({ name }) => only === undefined || only.includes(name));
  if (faults.length === 0) throw new Error(`there are no such faults here: ${only}`);
  for (;;) {
    const deck = faults.flatMap((fault) => Array(fault.times).fill(fault));
    while (deck.length > 0) yield deck.splice(random.int(0, deck.length - 1), 1)[0];
  }
}

async function killLeader({ cluster, random }) {
  const { leader, epoch } = cluster;
  await leader.kill();
  await sleep(random.int(0, 1500));
  // It may come back before another leads, and then be the one.
  if (random.chance(0.5)) await cluster.leadsAfter(epoch);
  leader.start();
  await cluster.leadsAfter(epoch);
}

async function pauseLeader(scene) {
  await pause(scene, scene.cluster.leader);
}

/** As it goes on, its monotonic clock says that no time has passed. */
async function suspendLeader(scene) {
  const { leader } = scene.cluster;
  leader.setClock({ stands: true });
  await sleep(NOTICED_MS);
  await pause(scene, leader);
  leader.setClock({ stands: false });
}

async function pause({ cluster, random, leaveHost, count }, leader) {
  const { epoch } = cluster;
  leader.signal('SIGSTOP');
  cluster.pauses.push({ epoch, t: now() });
  await sleep(LEASE_MS + random.int(300, 2000));
  await cluster.leadsAfter(epoch);
  // Those that stay hear what it says once it goes on.
  if (random.chance(0.3)) await leaveHost(leader.index);
  else count('pauses during which clients stay');
  leader.signal('SIGCONT');
}

async function stopLeader({ cluster, incident }) {
  const { leader, epoch } = cluster;
  leader.mayEnd = true;
  leader.signal('SIGTERM');
  const ended = await Promise.race([leader.exit, sleep(STOP_LIMIT_MS, null, { ref: false })]);
  if (ended?.code !== 0) {
    incident('I11', `SIGTERM: ended by ${JSON.stringify(ended)}:\n${leader.tail()}`);
    await leader.kill();
  }
  await cluster.leadsAfter(epoch);
  leader.start();
}

async function holdLeader({ cluster, random, leaveHost, count }) {
  const { leader, epoch } = cluster;
  const way = cluster.ways[leader.index];
  if (random.chance(0.7)) {
    // Amid a large batch: of its records the later ones may fit behind the first one of the next leader.
    way.holdAtPart();
    await cluster.until('a large batch', () => way.held, PART_LIMIT_MS).catch(() => {});
  }
  way.hold();
  try {
    // As soon as another one leads what was held comes right behind its first record.
    await cluster.until('another node leads', () => cluster.terms.at(-1).epoch > epoch);
    if (random.chance(0.3)) await sleep(random.int(0, 3000));
  } finally {
    count('bytes that were held back', way.release());
  }
  await cluster.leadsAfter(epoch);
  if (random.chance(0.5)) await leaveHost(leader.index);
}

async function cutLeader({ cluster, random, leaveHost }) {
  const { leader, epoch } = cluster;
  const way = cluster.ways[leader.index];
  way.cut();
  await cluster.leadsAfter(epoch);
  if (random.chance(0.5)) await leaveHost(leader.index);
  await sleep(random.int(0, 2000));
  way.mend();
}

/** The next leader has another time of day, and the queues have what waits for its time. */
async function setLeadersTime(scene) {
  const { cluster, random, count, incident } = scene;
  const { leader } = cluster;
  const witness = new TimeWitness(cluster);
  await witness.begin();
  leader.setClock({ wallMs: jumpOf(random) });
  await sleep(NOTICED_MS + random.int(0, 2500));
  await random.pick([killLeader, stopLeader, cutLeader])(scene);
  // The clocks of machines may stay apart.
  if (random.chance(0.5)) leader.setClock({ wallMs: 0 });
  else count('clocks that stay set');
  for (const text of await witness.end()) incident('I15', text);
}

/** Minutes or hours, forward or back. */
function jumpOf(random) {
  const ms = random.chance(0.5) ? random.int(1, 59) : random.int(60, 600);
  return random.pick([-1, 1]) * ms * MINUTE_MS;
}

/** It believes that its lease lasts for ever, and renews nothing. */
async function stopLeadersClocks({ cluster, random }) {
  const { leader, epoch } = cluster;
  cluster.hurries.push(epoch);
  leader.setClock({ stopped: true });
  await cluster.leadsAfter(epoch);
  await sleep(random.int(0, 2000));
  leader.setClock({ stopped: false });
}

/** It takes the lead from one that still leads: only time may be lost by that. */
async function hurryFollower({ cluster, random }) {
  const node = random.pick(cluster.followers);
  node.setClock({ wallMs: jumpOf(random) });
  cluster.hurries.push(cluster.epoch);
  for (let times = random.int(1, 12); times > 0 && cluster.leader !== node; times--) {
    node.setClock({ monotonicMs: node.clock.monotonicMs + random.int(1, 2 * LEASE_MS) });
    await sleep(random.int(50, 400));
  }
  if (random.chance(0.5)) node.setClock({ wallMs: 0 });
}

async function killFollower({ cluster, random }) {
  const node = random.pick(cluster.followers);
  await node.kill();
  await sleep(random.int(0, 4000));
  node.start();
}

async function pauseFollower({ cluster, random }) {
  const node = random.pick(cluster.followers);
  node.signal('SIGSTOP');
  await sleep(random.int(500, 12_000));
  node.signal('SIGCONT');
}

async function wipeFollower(scene) {
  const { cluster, random, count } = scene;
  const node = random.pick(cluster.followers);
  if (random.chance(0.7) && spoilSnapshot(scene, node)) count('snapshots that were damaged');
  await node.kill();
  node.wipe();
  await sleep(random.int(0, 2000));
  node.start();
}

/** Changes some bits of the newest snapshot of another node; the others have theirs. Most of a file holds nothing any more. */
function spoilSnapshot({ cluster, random }, node) {
  const having = cluster.nodes
    .filter((each) => each !== node)
    .map((each) => newestSnapshot(each))
    .filter((path) => path !== null)
    .sort();
  if (having.length < 2) return false;
  const path = random.pick(having);
  const bytes = readFileSync(path);
  for (let n = 0; n < BITS_CHANGED; n++) {
    bytes[random.int(0, bytes.length - 1)] ^= 1 << random.int(0, 7);
  }
  writeFileSync(path, bytes);
  return true;
}

function newestSnapshot({ data }) {
  try {
    const folder = join(data, 'snapshots');
    const [newest] = readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .sort()
      .reverse();
    return newest === undefined ? null : join(folder, newest, 'data.mdb');
  } catch {
    return null;
  }
}

/** The number of the server that orders the log, and that of one of the others. */
async function firstServer({ cluster }) {
  const { leader } = await cluster.client.facts();
  return Number(leader.slice(1));
}

async function otherServer(scene) {
  const first = await firstServer(scene);
  return scene.random.pick([0, 1, 2].filter((i) => i !== first));
}

async function killFirstServer(scene) {
  await killServer(scene, await firstServer(scene));
}

async function killOtherServer(scene) {
  await killServer(scene, await otherServer(scene));
}

async function pauseFirstServer(scene) {
  await pauseServer(scene, await firstServer(scene));
}

async function pauseOtherServer(scene) {
  await pauseServer(scene, await otherServer(scene));
}

async function pauseServer({ cluster, random }, i) {
  cluster.nats.signal(i, 'SIGSTOP');
  await sleep(random.int(500, 9000));
  cluster.nats.signal(i, 'SIGCONT');
}

async function killServer({ cluster, random }, i) {
  await cluster.nats.kill(i);
  await sleep(random.int(1000, 6000));
  cluster.nats.launch(i);
}
