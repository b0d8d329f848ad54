// The users and permissions that all groups share: changes some while nodes fail, and compares in the end what each group has.
// Never touches those that clients log in with.
import { setTimeout as sleep } from 'node:timers/promises';
import { LOGIN } from '../topology.mjs';
import { ask } from './ask.mjs';

const KEPT = 4;
const AGAIN_MS = 100;
const TRIES = 200;
/** What must be the same in all groups. */
const LISTS = ['/users', '/permissions', '/topic-permissions', '/global-parameters'];

export class Directory {
  /** Users whose change was answered: those that must be there, and those that must not. */
  there = [];
  gone = [];
  number = 0;

  /** @param {import('./groups.mjs').Groups} groups */
  constructor(groups, random) {
    this.groups = groups;
    this.random = random;
  }

  /** Makes a user by way of any leader, and deletes an older one; what is not answered is not counted on. */
  async change() {
    const user = `user-${++this.number}`;
    const made = await this.ask('PUT', `/users/${user}`, { password: user, tags: 'monitoring' });
    const rights = { configure: '', write: '', read: `^${user}$` };
    const may = `/permissions/${LOGIN.vhost}/${user}`;
    if (made && (await this.ask('PUT', may, rights))) this.there.push(user);
    if (this.there.length <= KEPT) return;
    const [oldest] = this.there.splice(0, 1);
    if (await this.ask('DELETE', `/users/${oldest}`)) this.gone.push(oldest);
  }

  async ask(method, path, body) {
    const { main, jobs } = this.groups;
    const leader = this.random.pick([main, jobs]).leader;
    if (leader === null) return false;
    const answer = await ask(leader, method, path, body);
    return answer !== null && answer.status < 300;
  }

  /** What is wrong with it, in sentences. */
  async faults() {
    let texts = [];
    for (let tried = 1; tried <= TRIES; tried++) {
      texts = await this.compare();
      if (texts.length === 0) return [];
      await sleep(AGAIN_MS);
    }
    return texts;
  }

  /** Whether both groups have the same there. */
  async agree(path) {
    const [one, other] = await Promise.all([this.list('main', path), this.list('jobs', path)]);
    return one === other;
  }

  async compare() {
    const texts = [];
    for (const path of [...LISTS, '/vhosts']) {
      const [one, other] = await Promise.all([this.list('main', path), this.list('jobs', path)]);
      if (one !== other) texts.push(`${path} of main and jobs differ: ${one} / ${other}`);
    }
    const users = await this.list('jobs', '/users');
    const may = await this.list('jobs', '/permissions');
    for (const user of this.there) {
      const name = `"${user}"`;
      if (!users.includes(name) || !may.includes(name))
        texts.push(`${user} is gone, or may not do what it might`);
    }
    for (const user of this.gone) {
      if (users.includes(`"${user}"`)) texts.push(`${user} was deleted, and is there`);
    }
    return texts;
  }

  /** As text; of vhosts where they are, and not their figures. */
  async list(group, path) {
    const { leader } = this.groups.groupOf(group);
    const answer = leader === null ? null : await ask(leader, 'GET', path);
    if (!Array.isArray(answer?.json)) return `no answer of ${group}`;
    const rows = answer.json.map((row) => {
      return path === '/vhosts' ? { name: row.name, ...row.leveret } : row;
    });
    return rows
      .map((row) => JSON.stringify(row))
      .sort()
      .join(' ');
  }
}
