// What happens to a move of a vhost: at which moment of it, to which node, and how. A fault resolves once it is over and its
// cause is mended. Never judges.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { LEASE_MS } from '../cluster/cluster.mjs';

const LOOK_MS = 3;
/** How long a moment is waited for, which may not come where something else has happened. */
const MOMENT_MS = 20_000;

/**
 * A move under way.
 * @typedef {object} Scene
 * @property {import('./groups.mjs').Groups} groups
 * @property {import('./group.mjs').Group} source the group that the vhost leaves
 * @property {import('./group.mjs').Group} target
 * @property {import('../random.mjs').Random} random
 * @property {() => boolean} over whether the move has ended
 * @property {(host: number) => Promise<void>} leaveHost has clients give up their connections to a node
 * @property {(name: string, by?: number) => void} count
 */

/** The moments of a move; each resolves with whether it came. */
const MOMENTS = {
  'before the departure': async ({ random }) => {
    await sleep(random.int(0, 300));
    return true;
  },
  'during the snapshot': async (scene) => {
    const { source, random } = scene;
    return (await folderOf(scene, source, 'making')) && later(random, 40);
  },
  'during the taking': async (scene) => {
    const { target, random } = scene;
    return (await folderOf(scene, target, 'moving')) && later(random, 250);
  },
  'between arrival and flip': async ({ groups, target, random }) => {
    const is = ({ msg }, group) => msg === 'a vhost has arrived' && group === target.group;
    return (await groups.says(is, MOMENT_MS)) && later(random, 40);
  },
  'after the flip': async ({ groups, target, over, random }) => {
    const isThere = () => groups.place.group === target.group;
    return (await until(() => isThere() || over())) && isThere() && later(random, 400);
  },
};

/** A folder that a node has for this time alone. */
async function folderOf({ over }, group, name) {
  const isThere = () => group.nodes.some(({ data }) => existsSync(join(data, 'snapshots', name)));
  return (await until(() => isThere() || over())) && !over();
}

async function later(random, ms) {
  await sleep(random.int(0, ms));
  return true;
}

async function until(condition) {
  for (const end = now() + 1000 * MOMENT_MS; now() < end; await sleep(LOOK_MS)) {
    if (condition()) return true;
  }
  return false;
}

const WAYS = { 'kill -9': killLeader, SIGSTOP: pauseLeader };

/** One in this many moves is left alone, so that its time can be told. */
const ALONE = 5;
const OTHERS = [
  { name: 'both leaders killed', run: (scene) => killBoth(scene) },
  { name: 'kill -9 of followers', run: (scene) => killFollowers(scene) },
  { name: 'called off', run: (scene) => callOff(scene) },
  { name: 'called off, and the target killed', run: (scene) => callOffAndKill(scene) },
  { name: 'kill -9 of a server of NATS', run: (scene) => killServer(scene) },
];

/** Each once, before any comes again; or of those that are named. */
export function* deal(random, only) {
  const known = [...Array(ALONE).fill({ name: 'none', run: async () => {} }), ...OTHERS];
  for (const moment of Object.keys(MOMENTS)) {
    for (const side of ['source', 'target']) {
      for (const way of Object.keys(WAYS)) {
        const name = `${way} of the ${side} ${moment}`;
        known.push({ name, run: (scene) => strike(scene, moment, side, WAYS[way]) });
      }
    }
  }
  const all = known.filter(({ name }) => only === undefined || only.includes(name));
  if (all.length === 0) throw new Error(`there are no such faults: ${only}`);
  for (;;) {
    const deck = [...all];
    while (deck.length > 0) yield deck.splice(random.int(0, deck.length - 1), 1)[0];
  }
}

async function strike(scene, moment, side, way) {
  if (!(await MOMENTS[moment](scene))) {
    scene.count('moments that did not come');
    return;
  }
  scene.count(`faults ${moment}`);
  await way(scene, scene[side]);
}

async function killLeader({ random, count }, group) {
  const { leader, epoch } = group;
  if (leader === null) return;
  await leader.kill();
  count('kill -9 of nodes');
  await sleep(random.int(0, 1500));
  // It may come back before another leads, and then be the one.
  if (random.chance(0.5)) await group.leadsAfter(epoch);
  leader.start();
  await group.leadsAfter(epoch);
}

async function pauseLeader({ groups, random, leaveHost, count }, group) {
  const { leader, epoch } = group;
  if (leader === null) return;
  leader.signal('SIGSTOP');
  count('SIGSTOP of nodes');
  group.pauses.push({ epoch, t: now() });
  const long = random.chance(0.7);
  await sleep(long ? LEASE_MS + random.int(300, 2000) : random.int(100, LEASE_MS / 2));
  if (long) {
    await group.leadsAfter(epoch);
    // Those that stay hear what it says once it goes on.
    if (random.chance(0.5)) await leaveHost(groups.nodes.indexOf(leader));
  }
  leader.signal('SIGCONT');
}

async function killBoth(scene) {
  const { source, target, random } = scene;
  await sleep(random.int(0, 2500));
  const second = sleep(random.int(0, 500)).then(() => killLeader(scene, target));
  await Promise.all([killLeader(scene, source), second]);
}

async function killFollowers({ groups, random, count }) {
  await sleep(random.int(0, 1500));
  const followers = [groups.main, groups.jobs].map((group) => random.pick(group.followers));
  for (const node of followers) await node?.kill();
  count('kill -9 of nodes', followers.length);
  await sleep(random.int(0, 3000));
  for (const node of followers) node?.start();
}

async function callOff({ groups, source, random, count }) {
  await sleep(random.int(0, 2000));
  await groups.send(source.group);
  count('moves called off');
}

async function callOffAndKill(scene) {
  const { target, random } = scene;
  await sleep(random.int(200, 1500));
  await Promise.all([callOff(scene), killLeader(scene, target)]);
}

async function killServer({ groups, random, count }) {
  const i = random.int(0, groups.nats.count - 1);
  await sleep(random.int(0, 1500));
  await groups.nats.kill(i);
  count('kill -9 of servers of NATS');
  await sleep(random.int(200, 1500));
  groups.nats.launch(i);
}
