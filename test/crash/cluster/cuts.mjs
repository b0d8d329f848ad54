// What happens to the network of a cluster under load, where its machines have cables of their own: see faults.mjs. No peer is
// told that a way is cut. Never judges.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { LEASE_MS } from './cluster.mjs';

const ALL = ['s0', 's1', 's2'];

/** As FAULTS in faults.mjs. */
export const CUTS = [
  { name: "the leader's cable is pulled", times: 2, fails: true, run: pullLeader },
  {
    name: 'the leader and the log lose sight of each other',
    times: 3,
    fails: true,
    run: partLeader,
  },
  { name: "a follower's cable is pulled", times: 1, fails: false, run: pullFollower },
  { name: "the cable of the log's first server is pulled", times: 2, fails: false, run: pullFirst },
  { name: 'the cable of another server is pulled', times: 1, fails: false, run: pullOther },
  { name: 'a server of the log does not hear another one', times: 1, fails: false, run: deafen },
];

async function pullLeader({ cluster, random, leaveHost }) {
  const { leader, epoch, network } = cluster;
  const from = now();
  network.pull(leader.name);
  try {
    await cluster.leadsAfter(epoch);
    if (random.chance(0.5)) await leaveHost(leader.index);
    await sleep(random.int(0, 4000));
  } finally {
    network.plug(leader.name);
    cluster.pulls.push({ epoch, from, to: now() });
  }
}

/** Clients stay with it. What it sends is lost, or what it is sent, or both. */
async function partLeader({ cluster, random, leaveHost, count }) {
  const { leader, epoch, network } = cluster;
  const { ports } = cluster.ways[leader.index];
  const lost = random.pick([['out'], ['in'], ['in', 'out']]);
  count(`lost between the leader and the log: ${lost.join(' and ')}`);
  for (const way of lost) network.drop(leader.name, way, network.hub, ports);
  try {
    await cluster.leadsAfter(epoch);
    await sleep(random.int(0, 4000));
    if (random.chance(0.3)) await leaveHost(leader.index);
  } finally {
    network.pass(leader.name);
  }
}

async function pullFollower({ cluster, random }) {
  await pull(cluster, random.pick(cluster.followers).name, random.int(500, 8000));
}

async function pullFirst({ cluster, random }) {
  const { leader } = await cluster.client.facts();
  await pull(cluster, leader, random.int(500, 9000));
}

async function pullOther({ cluster, random }) {
  const { leader } = await cluster.client.facts();
  const others = ALL.filter((name) => name !== leader);
  await pull(cluster, random.pick(others), random.int(500, 9000));
}

async function pull({ network }, machine, ms) {
  network.pull(machine);
  await sleep(ms);
  network.plug(machine);
}

/** Two of three see each other, and the third sees both: with one of them it can only speak. */
async function deafen({ cluster, random }) {
  const { network } = cluster;
  const deaf = random.pick(ALL);
  const other = random.pick(ALL.filter((name) => name !== deaf));
  network.drop(deaf, 'in', network.hostOf(other));
  await sleep(LEASE_MS + random.int(0, 8000));
  network.pass(deaf);
}
