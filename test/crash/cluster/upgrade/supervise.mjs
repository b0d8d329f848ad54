// The supervisor of the test of an upgrade: the load and the judge of the other crash tests, while the nodes of a cluster go
// from one build to the next under it.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { askApi } from '../../api.mjs';
import { createRandom } from '../../random.mjs';
import { ClusterRun, runClusterTest } from '../supervise.mjs';
import { buildOf, copyOf, ofNextFormat } from './builds.mjs';
import { laterFormat, OPERATOR, sameFormat, WITH_OPERATOR } from './steps.mjs';

/**
 * @typedef {object} UpgradePlan
 * @property {string} root what is upgraded to: a folder with a build
 * @property {string | null} from what is upgraded, as git names it; null: a copy of that build
 * @property {boolean} brief whether no step is taken back
 * @property {boolean} format whether it goes on to a build that writes a later format
 * @property {string} seed
 * @property {string} folder an empty folder
 * @property {(line: string) => void} print
 */

/** Runs the whole test, see `runClusterTest`. */
export async function runUpgradeTest(/** @type {UpgradePlan} */ plan) {
  const { root, from, brief, format } = plan;
  const folder = join(plan.folder, 'builds');
  mkdirSync(folder);
  const a =
    from === null
      ? copyOf(root, join(folder, 'a'), '0.0.1')
      : buildOf(root, join(folder, 'a'), from);
  const b = copyOf(root, join(folder, 'b'), '0.0.2');
  const steps = sameFormat(a, b, brief);
  const builds = [a, b];
  if (format) {
    const c = ofNextFormat(root, join(folder, 'c'), '0.0.3');
    steps.push(...laterFormat(b, c));
    builds.push(c);
  }
  plan.print(`upgrade: ${builds.map(({ version }) => version).join(' to ')}`);
  const definitions = WITH_OPERATOR;
  const own = { leveret: a.leveret, dist: b.dist, steps, builds, definitions };
  return await runClusterTest({ ...plan, ...own }, UpgradeRun);
}

class UpgradeRun extends ClusterRun {
  async runRounds() {
    const { steps, seed, builds } = this.plan;
    await this.startBroker();
    await this.setUp();
    this.startClients();
    const random = createRandom(`${seed} faults`);
    for (const step of steps) {
      if (step.fails) this.failovers += 1;
      await this.playFault(step, random);
      await this.lookAtVersions(step);
    }
    await this.endPart(true);
    await this.lookAtStatus();
    // What writes the newest format reads all.
    this.broker.dist = builds.at(-1).dist;
    await this.compare();
    return this.result();
  }

  versionOf({ leveret }) {
    return this.plan.builds.find((each) => each.leveret === leveret).version;
  }

  /** What nodes tell one another and clients is true, and the step has come to what it should. */
  async lookAtVersions({ name, leads, older, old }) {
    const cluster = this.broker;
    const { leader, nodes } = cluster;
    const versions = nodes.map((node) => this.versionOf(node));
    const told = nodes.map((node) => cluster.rows.get(node.name).version);
    this.expect(name, told, versions);
    this.expect(`${name}: what leads`, this.versionOf(leader), leads);
    const found = versions.filter((version) => version === older).length;
    this.expect(`${name}: nodes of ${older}`, found, old);
    const model = await connect(cluster.url);
    const { server_version: version } = model.connection.serverProperties;
    await model.close();
    this.expect(`${name}: what a client is told`, version, leads);
  }

  /** All of it as operators see it. */
  async lookAtStatus() {
    const { leader, nodes } = this.broker;
    const versions = nodes.map((node) => this.versionOf(node));
    for (const { name, managementPort } of nodes) {
      // One that follows hears of its leader within moments.
      await this.broker.until(`${name} shows ${versions}`, async () => {
        const rows = await askApi({ managementPort }, '/api/cluster', OPERATOR).catch((error) => {
          if (!error.message.includes(' 503 ')) throw error;
          return { nodes: [] };
        });
        const byName = new Map(rows.nodes.map((row) => [row.name, row.version]));
        return nodes.every((node, i) => byName.get(`leveret@${node.name}`) === versions[i]);
      });
    }
    const { user, password } = OPERATOR;
    const url = `http://${user}:${password}@127.0.0.1:${leader.managementPort}`;
    const args = [leader.leveret, 'cluster', 'status', '--url', url];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const found = nodes.map(
      ({ name }) => new RegExp(`leveret@${name} .* (\\S+)\\s*$`, 'm').exec(stdout)?.[1],
    );
    this.expect('leveret cluster status', found, versions);
  }

  expect(what, is, should) {
    const [found, wanted] = [JSON.stringify(is), JSON.stringify(should)];
    if (found !== wanted) this.keep({ rule: 'I11', text: `${what}: ${found}, and not ${wanted}` });
  }
}
