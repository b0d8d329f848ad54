// One group of vhosts under test: its nodes, on servers of NATS that all groups share, and who leads it. Never breaks anything.
import { mkdirSync } from 'node:fs';
import { findFreePort } from '../broker.mjs';
import { Cluster, SIZES, settingsOf } from '../cluster/cluster.mjs';
import { Node } from '../cluster/node.mjs';
import { DEFINITIONS } from '../topology.mjs';
import { CHIEF } from './ask.mjs';

const NODES = 2;

/** The users that are there from the first start on. */
export const WITH_CHIEF = {
  ...DEFINITIONS,
  users: [...DEFINITIONS.users, { ...CHIEF, tags: 'administrator' }],
};

export class Group extends Cluster {
  async makeNodes() {
    const { folder, leveret, network, size } = this;
    mkdirSync(folder, { recursive: true });
    for (let index = 0; index < NODES; index++) {
      const settings = {
        ...settingsOf(this, this.nats.addresses),
        ...SIZES[size],
      };
      const [port, managementPort] = [await findFreePort(), await findFreePort()];
      const plan = { index, folder, leveret, port, managementPort, settings, network };
      this.nodes.push(new Node(plan, (event) => this.heard(this.nodes[index], event)));
    }
  }

  /** The other groups have what the group main has: their first node begins alone as well, and makes the log. */
  get firstEnvironment() {
    return this.group === 'main' ? super.firstEnvironment : {};
  }
}
