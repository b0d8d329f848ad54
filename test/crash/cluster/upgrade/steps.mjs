// The steps of an upgrade of three nodes from one build to another, as docs/cluster.md has them, with what fails meanwhile.
// Never judges what clients saw.
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFINITIONS } from '../../topology.mjs';

/** Who may ask a node to step down. */
export const OPERATOR = { user: 'operator', password: 'operator' };
export const WITH_OPERATOR = {
  ...DEFINITIONS,
  users: [
    ...DEFINITIONS.users,
    { name: OPERATOR.user, password: OPERATOR.password, tags: 'administrator' },
  ],
};

/** How long a node may take to stop. */
const STOP_LIMIT_MS = 60_000;

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {boolean} fails whether another node leads after it
 * @property {(scene: import('../faults.mjs').Scene) => Promise<void>} run
 * @property {string} leads the version that leads after it
 * @property {string} older the version that is upgraded
 * @property {number} old how many nodes are of it then
 */

/** From `a` to `b`, with the same format; `brief` leaves out what a later format tries as well. @returns {Step[]} */
export function sameFormat(a, b, brief) {
  const [up, back] = [upgradeOne(a, b), upgradeOne(b, a)];
  const { under, over } = stepsFrom(a);
  const taken = [under('and taken back', back, a, 3), under('and upgraded again', up, a, 2)];
  return [
    under('a follower is upgraded', up, a, 2),
    ...(brief ? [] : taken),
    under('the other follower', up, a, 1),
    over('kill -9 of the old leader', failOver, b, 1),
    over('kill -9 of the new leader', failBack(a), a, 1),
    over('the old leader steps down', stepDown, b, 1),
    under('the last node is upgraded', up, b, 0),
  ];
}

/** From `b` to `c`, which writes a later format. @returns {Step[]} */
export function laterFormat(b, c) {
  const [up, back] = [upgradeOne(b, c), upgradeOne(c, b)];
  const { under, over } = stepsFrom(b);
  return [
    under('a follower of a later format', up, b, 2),
    under('is taken back', back, b, 3),
    under('and upgraded again', up, b, 2),
    under('the other follower', up, b, 1),
    over('the old leader is too old', tooOld(c), c, 0),
  ];
}

/** Steps from a build: those under one leader, and those over to another. */
function stepsFrom({ version: older }) {
  const step = (fails, name, run, leads, old) => {
    return { name, fails, run, leads: leads.version, older, old };
  };
  return { under: step.bind(null, false), over: step.bind(null, true) };
}

/** A follower of build `from` goes on as one of `to`, on its folder. */
function upgradeOne(from, to) {
  return async ({ cluster, incident }) => {
    const node = cluster.followers.find(({ leveret }) => leveret === from.leveret);
    await stop(node, incident);
    node.leveret = to.leveret;
    node.start();
  };
}

async function failOver({ cluster }) {
  const { leader, epoch } = cluster;
  await leader.kill();
  await cluster.leadsAfter(epoch);
  leader.start();
}

/** The one node of `a` takes the lead over, since no other is there. */
function failBack(a) {
  return async ({ cluster, incident }) => {
    const { leader, epoch } = cluster;
    const other = cluster.followers.find(({ leveret }) => leveret !== a.leveret);
    await stop(other, incident);
    await leader.kill();
    await cluster.leadsAfter(epoch);
    leader.start();
    other.start();
  };
}

async function stepDown({ cluster, incident, count }) {
  const { leader, epoch } = cluster;
  const status = await askToStepDown(leader);
  if (status === 404) {
    // Builds before it have no such request.
    count('leaders that were stopped, as they know no step-down');
    await stop(leader, incident);
    leader.start();
  } else if (status !== 204) {
    incident('I11', `the request to step down: ${status}`);
  }
  await cluster.leadsAfter(epoch);
}

async function askToStepDown({ managementPort }) {
  const authorization = `Basic ${Buffer.from(`${OPERATOR.user}:${OPERATOR.password}`).toString('base64')}`;
  const url = `http://127.0.0.1:${managementPort}/api/cluster/step-down`;
  return (await fetch(url, { method: 'PUT', headers: { authorization } })).status;
}

/** It steps down, stops by itself, and so again: until it is upgraded. */
function tooOld(to) {
  return async (scene) => {
    const { cluster, incident } = scene;
    const { leader } = cluster;
    leader.mayEnd = true;
    await stepDown(scene);
    await refuses(leader, to, incident);
    leader.start();
    leader.mayEnd = true;
    await refuses(leader, to, incident);
    leader.leveret = to.leveret;
    leader.start();
  };
}

async function refuses(node, to, incident) {
  const ended = await Promise.race([node.exit, sleep(STOP_LIMIT_MS, null, { ref: false })]);
  const tail = node.tail();
  const hint = `start Leveret ${to.version} or later here`;
  if (ended?.code === 1 && tail.includes(hint)) return;
  incident('I11', `not refused for its age, but ${JSON.stringify(ended)}:\n${tail}`);
  await node.kill();
}

async function stop(node, incident) {
  node.mayEnd = true;
  node.signal('SIGTERM');
  const ended = await Promise.race([node.exit, sleep(STOP_LIMIT_MS, null, { ref: false })]);
  if (ended?.code === 0) return;
  incident('I11', `SIGTERM: ended by ${JSON.stringify(ended)}:\n${node.tail()}`);
  await node.kill();
}
