// Owns the users that try every act of AMQP, one connection for each, and the owner of what they try it on.
// Never judges what comes out.

import { endpointOf, RawConnection } from '../../support/amqp-raw.ts';
import type { Fields, Frame } from '../../support/amqp-wire.ts';
import type { Api } from '../support.ts';
import { type MethodAct, THERE } from './methods.ts';
import { must, PASSWORD } from './stage.ts';

const VHOST = 'method-rights';
const CHANNEL = 7;
const MINE = '^(mine|amq\\.gen)';

/** Configure, write, read. The letters of a name are what the user may do to everything. */
const USERS: Readonly<Record<string, readonly [string, string, string]>> = {
  none: ['', '', ''],
  c: ['.*', '', ''],
  w: ['', '.*', ''],
  r: ['', '', '.*'],
  cw: ['.*', '.*', ''],
  cr: ['.*', '', '.*'],
  wr: ['', '.*', '.*'],
  cwr: ['.*', '.*', '.*'],
  /** All of it for names that begin with `mine`. */
  mine: [MINE, MINE, MINE],
  /** Everything, but on topic exchanges only keys that begin with `mine.` */
  topic: ['.*', '.*', '.*'],
};
const KEYS = '^mine\\.';
const TOPIC_EXCHANGES = ['mine-topic', 'theirs-topic'];

export class MethodStage {
  private readonly api: Api;
  private readonly owner: RawConnection;
  private readonly users = new Map<string, RawConnection>();

  private constructor(api: Api, owner: RawConnection) {
    this.api = api;
    this.owner = owner;
  }

  /** Makes the vhost, the users and what they are to try, and connects the owner. */
  static async open(api: Api): Promise<MethodStage> {
    await removeAll(api);
    await must(api, 'PUT', `/vhosts/${VHOST}`, {});
    for (const [name, [configure, write, read]] of Object.entries(USERS)) {
      await must(api, 'PUT', `/users/${loginOf(name)}`, { password: PASSWORD, tags: '' });
      const path = `/permissions/${VHOST}/${loginOf(name)}`;
      await must(api, 'PUT', path, { configure, write, read });
    }
    for (const exchange of TOPIC_EXCHANGES) {
      const path = `/topic-permissions/${VHOST}/${loginOf('topic')}`;
      await must(api, 'PUT', path, { exchange, write: KEYS, read: KEYS });
    }
    await must(api, 'PUT', `/permissions/${VHOST}/guest`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    const stage = new MethodStage(api, await connectAs(api, null));
    for (const prefix of ['mine', 'theirs']) {
      for (const [method, fields] of THERE) await stage.make(method, withPrefix(fields, prefix));
    }
    return stage;
  }

  async close(): Promise<void> {
    for (const connection of [this.owner, ...this.users.values()]) connection.drop();
    await removeAll(this.api);
  }

  /** A line for each answer, with the users that got it, in the order in which the answers came first. */
  async tryAct(act: MethodAct): Promise<string> {
    const answers = new Map<string, string[]>();
    for (const prefix of act.once === true ? ['mine'] : ['mine', 'theirs']) {
      for (const user of Object.keys(USERS)) {
        for (const [method, fields] of act.before ?? []) {
          await this.make(method, withPrefix(fields, prefix));
        }
        const answer = await this.attempt(act, user, prefix);
        const key = act.once === true ? answer : `${prefix}: ${answer}`;
        answers.set(key, [...(answers.get(key) ?? []), user]);
      }
    }
    return [...answers].map(([answer, users]) => `  ${answer}: ${users.join(' ')}`).join('\n');
  }

  private async attempt(act: MethodAct, user: string, prefix: string): Promise<string> {
    let connection = this.users.get(user);
    if (connection === undefined || connection.closed) {
      connection = await connectAs(this.api, loginOf(user));
      this.users.set(user, connection);
    }
    await connection.openChannel(CHANNEL);
    const fields = withPrefix(act.fields, prefix);
    let reply: Frame;
    if (act.method === 'basic.publish') {
      await connection.call(CHANNEL, 'confirm.select');
      connection.publish(CHANNEL, fields, act.properties ?? {});
      reply = await connection.next(CHANNEL);
    } else {
      reply = await connection.call(CHANNEL, act.method, fields);
    }
    if (reply.name === 'connection.close') {
      connection.send(0, 'connection.close-ok');
      await connection.untilClosed();
      return `connection closed, ${textOf(reply)}`;
    }
    if (reply.name === 'channel.close') {
      connection.send(CHANNEL, 'channel.close-ok');
      return textOf(reply);
    }
    const closed = await connection.call(CHANNEL, 'channel.close', { replyCode: 200 });
    if (closed.name !== 'channel.close-ok')
      throw new Error(`${act.name}: ${closed.name} at the end`);
    // What is exclusive to this connection is in the way of the next.
    if (fields['exclusive'] === true) await connection.close();
    return 'done';
  }

  private async make(method: string, fields: Fields): Promise<void> {
    const reply = await this.owner.attempt(method, fields);
    if (reply.name.endsWith('.close')) throw new Error(`${method}: ${reply['replyText']}`);
  }
}

/** What a refusal says, without the names of vhost and user, and the verb that RabbitMQ names from 3.11 on. */
function textOf(reply: Frame): string {
  const text = String(reply['replyText'])
    .replace(/ in vhost 'method-rights'/g, '')
    .replace(/ refused for user 'method-rights-[a-z]+'/, '')
    .replace(/'method-rights-[a-z]+'/, 'the user')
    .replace(/(configure|write|read) access to/, 'access to')
    .replace(/amq\.gen-[\w-]+/, 'amq.gen-*');
  return `${reply['replyCode']} ${text}`;
}

function withPrefix(fields: Fields, prefix: string): Fields {
  const filled = JSON.stringify(fields).replaceAll('"P-', `"${prefix}-`);
  return JSON.parse(filled) as Fields;
}

async function connectAs(api: Api, user: string | null): Promise<RawConnection> {
  const endpoint = endpointOf(api.amqpUrl);
  const connection = await RawConnection.dial(endpoint);
  const opened = await connection.open({
    vhost: VHOST,
    ...(user === null ? {} : { user, password: PASSWORD }),
  });
  if (opened.name !== 'connection.open-ok') throw new Error(`no connection as ${user}`);
  return connection;
}

async function removeAll(api: Api): Promise<void> {
  await api.call('DELETE', `/vhosts/${VHOST}`);
  for (const name of Object.keys(USERS)) await api.call('DELETE', `/users/${loginOf(name)}`);
}

function loginOf(name: string): string {
  return `method-rights-${name}`;
}
