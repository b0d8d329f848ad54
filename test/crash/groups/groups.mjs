// The cluster under test: two groups of vhosts, main and jobs, of two nodes each, on the same servers of NATS, and one vhost that
// goes back and forth between them. Knows where it is. Never breaks anything by itself.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../client.mjs';
import { NatsServers } from '../cluster/nats-servers.mjs';
import { LOGIN } from '../topology.mjs';
import { ask } from './ask.mjs';
import { Group, WITH_CHIEF } from './group.mjs';
import { Tenures } from './tenures.mjs';

const LOOK_MS = 40;
const AGAIN_MS = 100;
const NUDGE_MS = 1500;

export class Groups {
  /** Where the vhost is, as a leader of the group main said last: its group, where it goes to, and why it did not. */
  place = { group: 'main', to: null, fault: null };
  tenures = new Tenures();
  waiting = new Set();
  flips = 0;
  stopped = false;

  /**
   * @param {{ folder: string, leveret: string, dist: string, servers: number,
   *   network: import('../cluster/network.mjs').OneMachine }} plan `servers`: of NATS
   * @param {(node: import('../cluster/node.mjs').Node, event: { msg: string, t: number }) => void} hear
   */
  constructor({ folder, servers, network, ...plan }, hear) {
    this.hear = hear;
    this.nats = new NatsServers(join(folder, 'nats'), network, servers);
    const groupOf = (group) => {
      const own = { ...plan, group, folder: join(folder, group), network, nats: this.nats };
      return new Group({ ...own, size: 'large', definitions: WITH_CHIEF }, (node, event) =>
        this.heard(group, node, event),
      );
    };
    this.main = groupOf('main');
    this.jobs = groupOf('jobs');
  }

  /** Resolves once both groups are whole, and the group jobs knows the users. */
  async start() {
    await this.nats.start();
    await this.main.start();
    await this.jobs.start();
    await this.main.until('the group jobs has the users', async () => {
      return (await ask(this.jobs.leader, 'GET', '/whoami'))?.status === 200;
    });
    this.looking = this.look();
  }

  heard(group, node, event) {
    if (event.msg === 'connection opened' && event.vhost === LOGIN.vhost) {
      const port = Number(event.peer.slice(event.peer.lastIndexOf(':') + 1));
      this.tenures.told({
        group,
        epoch: node.leads,
        node: `${group} ${node.name}`,
        port,
        t: event.t,
      });
    }
    for (const each of this.waiting) if (each.is(event, group, node)) each.found();
    this.hear(node, event);
  }

  /** Resolves once a node says what `is` waits for, or after a while, with whether it did. */
  says(is, limitMs) {
    return new Promise((resolve) => {
      const end = (found) => {
        clearTimeout(late);
        this.waiting.delete(waits);
        resolve(found);
      };
      const late = setTimeout(() => end(false), limitMs);
      const waits = { is, found: () => end(true) };
      this.waiting.add(waits);
    });
  }

  // ---- where the vhost is ------------------------------------------------------------------------

  async look() {
    while (!this.stopped) {
      await this.lookOnce();
      await sleep(LOOK_MS);
    }
  }

  async lookOnce() {
    const { leader } = this.main;
    const answer = leader === null ? null : await ask(leader, 'GET', '/vhosts');
    const said = answer?.json?.find(({ name }) => name === LOGIN.vhost)?.leveret;
    // One that leads no longer, and does not know it yet, says what was.
    if (said === undefined || leader !== this.main.leader) return;
    const { group, moving_to: to, move_fault: fault } = said;
    if (group !== this.place.group) {
      this.flips += 1;
      this.tenures.flipped(group, now());
    }
    this.place = { group, to, fault };
  }

  /** Has it go to a group; resolves once that is durable, and with the status of the answer. */
  async send(group) {
    for (;;) {
      const { leader } = this.main;
      const answer =
        leader === null
          ? null
          : await ask(leader, 'PUT', `/cluster/vhosts/${LOGIN.vhost}`, { group });
      if (answer !== null && answer.status < 500) return answer.status;
      await sleep(AGAIN_MS);
    }
  }

  groupOf(name) {
    return name === 'main' ? this.main : this.jobs;
  }

  /** The group that has it. */
  get home() {
    return this.groupOf(this.place.group);
  }

  get away() {
    return this.home === this.main ? this.jobs : this.main;
  }

  // ---- as the other crash tests see a broker -------------------------------------------------------

  get nodes() {
    return [...this.main.nodes, ...this.jobs.nodes];
  }

  get network() {
    return this.main.network;
  }

  get spawns() {
    return this.main.spawns;
  }

  get leader() {
    return this.home.leader;
  }

  /** Another number whenever another broker has the vhost. */
  get epoch() {
    return this.main.epoch + this.jobs.epoch + this.flips;
  }

  get urls() {
    return this.nodes.map((node) => this.main.urlOf(node));
  }

  get url() {
    return this.home.url;
  }

  get managementHost() {
    return this.home.managementHost;
  }

  get managementPort() {
    return this.home.managementPort;
  }

  async until(what, condition, limitMs) {
    await this.main.until(what, condition, limitMs);
  }

  get ignored() {
    return this.main.ignored + this.jobs.ignored;
  }

  /**
   * Resolves once all of both groups is well. In a group without load the last record may be one that does not count: something
   * is changed in it meanwhile.
   */
  async whole() {
    let n = 0;
    const nudge = () => {
      const { leader } = this.main;
      n += 1;
      if (leader !== null) ask(leader, 'PUT', '/global-parameters/nudge', { value: n });
    };
    const nudging = setInterval(nudge, NUDGE_MS);
    try {
      await this.main.whole();
      await this.jobs.whole();
    } finally {
      clearInterval(nudging);
    }
  }

  killNow() {
    this.stopped = true;
    this.main.killNow();
    this.jobs.killNow();
  }

  tail() {
    return `=== main\n${this.main.tail()}\n=== jobs\n${this.jobs.tail()}`;
  }
}
