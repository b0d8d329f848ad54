// The command line of the crash test:
//   node test/crash/run.mjs [--rounds 20] [--seed word] [--broker leveret|rabbitmq] [--prove] [--broken] [--keep]
// Prints a table, exits 0 when every promise was kept, and keeps the journals when one was not.
// With --cluster [--failovers 20] it is a cluster of three nodes and three servers of NATS whose parts fail; --fault names the
// faults that are to come, in place of all. --netns has each of the six in a network namespace, so that their network can fail,
// too: on Linux, as root.
// With --upgrade [--from GITREF] [--brief] [--format] the nodes go from that commit, or from a copy of this build, to this build
// one after the other, and with --format on to one that writes a later format of tables.
// With --cluster --groups [--moves 40] [--servers 3] [--backlog 3000] it is a cluster with two groups of vhosts, between which a
// vhost goes back and forth.
// --broken does the same with builds that are broken on purpose: each has to be found, by its rule.
// --leveret names the bin/leveret of another build, for example of one broken on purpose. --prove
// spoils what was noted down, in one way after another, and expects the judge to see it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { breakBuild } from '../support/break-build.mjs';
import { BROKEN } from './broken.mjs';
import { RULES } from './check.mjs';
import { BROKEN as BROKEN_CLUSTERS } from './cluster/broken.mjs';
import { runClusterTest } from './cluster/supervise.mjs';
import { runUpgradeTest } from './cluster/upgrade/supervise.mjs';
import { BROKEN as BROKEN_GROUPS } from './groups/broken.mjs';
import { runGroupsTest } from './groups/supervise.mjs';
import { runMutants } from './mutants.mjs';
import { runCrashTest } from './supervise.mjs';

const SHOWN = 10;
const ERROR_SHOWN = 300;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: `s${process.pid}${process.hrtime()[1]}` },
    broker: { type: 'string', default: 'leveret' },
    leveret: { type: 'string', default: 'bin/leveret' },
    prove: { type: 'boolean', default: false },
    broken: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    upgrade: { type: 'boolean', default: false },
    from: { type: 'string' },
    brief: { type: 'boolean', default: false },
    format: { type: 'boolean', default: false },
    failovers: { type: 'string', default: '20' },
    groups: { type: 'boolean', default: false },
    moves: { type: 'string', default: '40' },
    servers: { type: 'string', default: '3' },
    backlog: { type: 'string', default: '3000' },
    fault: { type: 'string', multiple: true },
    netns: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'leveret-crash-'));
const { rounds, seed, broker, failovers, netns, from = null, brief, format } = values;
const again = `${whatRuns()} --seed ${seed}`;
console.log(`crash test: ${again}, folder ${folder}`);
if (values.cluster && !values.groups && !netns) {
  console.log('no network fails in it: --netns has it do so');
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

if (values.broken) await (values.cluster ? proveBrokenClusters() : proveBroken());

const plan = { leveret: values.leveret, seed, folder, print: (line) => console.log(line) };
const { violations, broken, counts, history } = await start().catch((error) => {
  console.log(`the run could not go on: ${error.message}; journals and log are in ${folder}`);
  process.exit(1);
});
printTable(counts);
printRules();
const missed = values.prove && violations.length === 0 ? proveJudge(history) : [];
const failed = violations.length > 0 || missed.length > 0;
if (failed) console.log(`journals and the broker's log are in ${folder}; again with ${again}`);
if (!failed && !values.keep) rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

function whatRuns() {
  if (values.upgrade) {
    const flags = `${brief ? ' --brief' : ''}${format ? ' --format' : ''}`;
    return `--upgrade${from === null ? '' : ` --from ${from}`}${flags}`;
  }
  if (!values.cluster) return `--rounds ${rounds} --broker ${broker}`;
  const faults = (values.fault ?? []).map((name) => ` --fault "${name}"`).join('');
  if (values.groups) {
    const { moves, servers, backlog } = values;
    const numbers = `--moves ${moves} --servers ${servers} --backlog ${backlog}`;
    return `--cluster --groups ${numbers}${faults}`;
  }
  return `--cluster --failovers ${failovers}${netns ? ' --netns' : ''}${faults}`;
}

async function start() {
  if (values.upgrade) return await runUpgradeTest({ ...plan, root: ROOT, from, brief, format });
  if (!values.cluster) return await runCrashTest({ ...plan, broker, rounds: Number(rounds) });
  return await runCluster(plan, values.fault);
}

/** A run of a cluster, or of one with groups, in which these faults come; undefined: all. */
async function runCluster(plan, only) {
  if (!values.groups) {
    return await runClusterTest({ ...plan, failovers: Number(failovers), only, netns });
  }
  const [moves, servers, backlog] = [values.moves, values.servers, values.backlog].map(Number);
  return await runGroupsTest({ ...plan, moves, servers, backlog, only });
}

function printTable(rows) {
  console.log('');
  const width = Math.max(...Object.keys(rows).map((name) => name.length));
  for (const [name, n] of Object.entries(rows)) {
    console.log(`  ${name.padEnd(width)}  ${String(n).padStart(9)}`);
  }
  console.log('');
}

function printRules() {
  for (const [rule, promise] of Object.entries(RULES)) {
    const times = broken[rule] ?? 0;
    const verdict = times === 0 ? 'kept' : `BROKEN, ${times} times`;
    console.log(`  ${rule.padEnd(3)}  ${verdict.padEnd(20)}  ${promise}`);
    const examples = violations.filter((violation) => violation.rule === rule).slice(0, SHOWN);
    for (const { text } of examples) console.log(`         ${text}`);
  }
  console.log('');
}

/** A judge that cannot find anything proves nothing: each spoiled copy must be found out. */
function proveJudge(clean) {
  const missedNames = [];
  for (const { name, rule, found } of runMutants(clean)) {
    const verdict = found === null ? 'no place for it' : found ? 'found' : 'MISSED';
    if (found === false) missedNames.push(name);
    console.log(`  spoiled: ${name.padEnd(46)}  ${rule.padEnd(3)}  ${verdict}`);
  }
  return missedNames;
}

/** Each gets as many faults of its own kinds as a run has failovers, or moves. */
async function proveBrokenClusters() {
  const all = values.groups ? BROKEN_GROUPS : BROKEN_CLUSTERS;
  for (const [n, { name, only, test, changes }] of all.entries()) {
    const own = join(folder, String(n));
    mkdirSync(own);
    const leveret = breakBuild(ROOT, mkdtempSync(join(own, 'build-')), changes);
    const found = await runCluster({ leveret, seed, folder: own, print() {} }, only).then(
      (result) => result.broken,
      (error) => ({ [whyOf(error)]: 1 }),
    );
    const isFound = Object.keys(found).length > 0;
    const verdict = isFound ? `found ${JSON.stringify(found)}` : `not by this load, but by ${test}`;
    console.log(`  broken: ${name.padEnd(65)}  ${verdict}`);
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

/** What ended a node: the last thing that it said, or why the run could not go on. */
function whyOf({ message }) {
  const said = [...message.matchAll(/"message":"([^"]*)"/g)].at(-1)?.[1] ?? message;
  return said.slice(0, ERROR_SHOWN);
}

/** Ends the process: with 1 where the judge missed one of them. */
async function proveBroken() {
  let missed = 0;
  for (const [n, { name, rule, change }] of BROKEN.entries()) {
    const own = join(folder, String(n));
    mkdirSync(own);
    const leveret = breakBuild(ROOT, mkdtempSync(join(own, 'build-')), [change]);
    const { rounds, seed } = values;
    const plan = { broker: 'leveret', leveret, rounds: Number(rounds), seed, folder: own };
    const found = await runCrashTest({ ...plan, print() {} }).then(
      (result) => result.broken,
      (error) => ({ [error.message.split('\n')[0]]: 1 }),
    );
    const verdict = (found[rule] ?? 0) > 0 ? 'found' : 'MISSED';
    if (verdict === 'MISSED') missed += 1;
    console.log(
      `  broken: ${name.padEnd(62)}  ${rule.padEnd(3)}  ${verdict} ${JSON.stringify(found)}`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(missed === 0 ? 0 : 1);
}
