// Owns the tests of the door to a vhost: each act asks for its rights, by itself and through AMQP and HTTP.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AmqpError } from '../../../src/amqp/errors.ts';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS, type Rights } from '../../../src/broker/access/grants.ts';
import { VhostActor } from '../../../src/broker/vhost/vhost-actor.ts';
import { type Api, startApi } from '../../management/support.ts';
import { endpointOf, RawConnection } from '../../support/amqp-raw.ts';
import type { Fields } from '../../support/amqp-wire.ts';
import { SmallBroker } from '../small-broker.ts';

/** What users lack, each one thing. */
const LACKS = ['configure', 'write', 'read', 'topic'] as const;
type Lack = (typeof LACKS)[number];

/** Methods that show what is there, and change nothing. */
const LOOKS = ['destination', 'delaysOf'];

interface Row {
  readonly act: Exclude<keyof VhostActor, 'destination' | 'delaysOf'>;
  /** What the user must not lack. */
  readonly needs: readonly Lack[];
  readonly door: (actor: VhostActor) => void;
  /** Null: only tools do it. */
  readonly amqp: readonly [method: string, fields: Fields] | null;
  readonly http: readonly [method: string, path: string, body?: object];
}

const VHOST = 'doors';
const QUEUE = { durable: true, autoDelete: false, owner: null, arguments: new Map() };
const EXCHANGE = { ...QUEUE, type: 'topic', internal: false };
/** Where dead letters, or what no queue takes, are to go: the name of an exchange. */
const pointing = (name: string) =>
  new Map<string, Field>([[name, { type: 'S', value: Buffer.from('inner') }]]);
const STREAM = new Map<string, Field>([['x-queue-type', { type: 'S', value: 'stream' }]]);
const DEAD_LETTERS = { 'x-dead-letter-exchange': 'inner' };
const ALTERNATE = { 'alternate-exchange': 'inner' };
const BINDING = ['write', 'read', 'topic'] as const;

const ROWS: readonly Row[] = [
  {
    act: 'declareQueue',
    needs: ['configure'],
    door: (actor) => actor.declareQueue({ ...QUEUE, name: 'new' }),
    amqp: ['queue.declare', { queue: 'new', durable: true }],
    http: ['PUT', `/queues/${VHOST}/new`, { durable: true }],
  },
  {
    act: 'declareQueue',
    needs: ['configure', 'write', 'read'],
    door: (actor) => {
      const args = pointing('x-dead-letter-exchange');
      actor.declareQueue({ ...QUEUE, name: 'new', arguments: args });
    },
    amqp: ['queue.declare', { queue: 'new', durable: true, arguments: DEAD_LETTERS }],
    http: ['PUT', `/queues/${VHOST}/new`, { durable: true, arguments: DEAD_LETTERS }],
  },
  {
    act: 'deleteQueue',
    needs: ['configure'],
    door: (actor) => actor.deleteQueue('q', {}),
    amqp: ['queue.delete', { queue: 'q' }],
    http: ['DELETE', `/queues/${VHOST}/q`],
  },
  {
    act: 'purgeQueue',
    needs: ['read'],
    door: (actor) => actor.purgeQueue('q'),
    amqp: ['queue.purge', { queue: 'q' }],
    http: ['DELETE', `/queues/${VHOST}/q/contents`],
  },
  {
    act: 'pauseQueue',
    needs: ['configure'],
    door: (actor) => actor.pauseQueue('q', true),
    amqp: null,
    http: ['PUT', `/queues/${VHOST}/q/pause`],
  },
  {
    act: 'pauseQueue',
    needs: ['configure'],
    door: (actor) => actor.pauseQueue('q', false),
    amqp: null,
    http: ['PUT', `/queues/${VHOST}/q/resume`],
  },
  ...(['send', 'drop'] as const).map(
    (action): Row => ({
      act: 'handleDelayed',
      needs: ['read'],
      door: (actor) => actor.handleDelayed('q', action, null),
      amqp: null,
      http: ['POST', `/queues/${VHOST}/q/delayed`, { action }],
    }),
  ),
  {
    act: 'stream',
    needs: ['read'],
    door: (actor) => actor.stream('log'),
    amqp: null,
    http: ['PUT', `/queues/${VHOST}/log/groups/g`, { offset: 'first' }],
  },
  {
    act: 'declareExchange',
    needs: ['configure'],
    door: (actor) => actor.declareExchange({ ...EXCHANGE, name: 'new' }),
    amqp: ['exchange.declare', { exchange: 'new', type: 'topic', durable: true }],
    http: ['PUT', `/exchanges/${VHOST}/new`, { type: 'topic', durable: true }],
  },
  {
    act: 'declareExchange',
    needs: ['configure', 'write', 'read'],
    door: (actor) => {
      const args = pointing('alternate-exchange');
      actor.declareExchange({ ...EXCHANGE, name: 'new', arguments: args });
    },
    amqp: ['exchange.declare', { exchange: 'new', type: 'topic', arguments: ALTERNATE }],
    http: ['PUT', `/exchanges/${VHOST}/new`, { type: 'topic', arguments: ALTERNATE }],
  },
  {
    act: 'deleteExchange',
    needs: ['configure'],
    door: (actor) => actor.deleteExchange('inner', false),
    amqp: ['exchange.delete', { exchange: 'inner' }],
    http: ['DELETE', `/exchanges/${VHOST}/inner`],
  },
  {
    act: 'bind',
    needs: BINDING,
    door: (actor) => actor.bind('topics', { kind: 'queue', name: 'q' }, 'new', new Map()),
    amqp: ['queue.bind', { queue: 'q', exchange: 'topics', routingKey: 'new' }],
    http: ['POST', `/bindings/${VHOST}/e/topics/q/q`, { routing_key: 'new' }],
  },
  {
    act: 'bind',
    needs: BINDING,
    door: (actor) => actor.bind('topics', { kind: 'exchange', name: 'inner' }, 'new', new Map()),
    amqp: ['exchange.bind', { destination: 'inner', source: 'topics', routingKey: 'new' }],
    http: ['POST', `/bindings/${VHOST}/e/topics/e/inner`, { routing_key: 'new' }],
  },
  {
    act: 'unbind',
    needs: BINDING,
    door: (actor) => actor.unbind('topics', { kind: 'queue', name: 'q' }, 'key', new Map()),
    amqp: ['queue.unbind', { queue: 'q', exchange: 'topics', routingKey: 'key' }],
    http: ['DELETE', `/bindings/${VHOST}/e/topics/q/q/key`],
  },
  {
    act: 'unbind',
    needs: BINDING,
    door: (actor) => actor.unbind('topics', { kind: 'exchange', name: 'inner' }, 'key', new Map()),
    amqp: ['exchange.unbind', { destination: 'inner', source: 'topics', routingKey: 'key' }],
    http: ['DELETE', `/bindings/${VHOST}/e/topics/e/inner/key`],
  },
];

/** What each row finds there. */
function prepared(): SmallBroker {
  const small = new SmallBroker();
  const actor = small.vhost.as(ALL_RIGHTS);
  actor.declareQueue({ ...QUEUE, name: 'q' });
  actor.declareQueue({ ...QUEUE, name: 'log', arguments: STREAM });
  for (const name of ['topics', 'inner']) actor.declareExchange({ ...EXCHANGE, name });
  actor.bind('topics', { kind: 'queue', name: 'q' }, 'key', new Map());
  actor.bind('topics', { kind: 'exchange', name: 'inner' }, 'key', new Map());
  return small;
}

/** All rights but one. */
function rightsWithout(lack: Lack): Rights {
  const require = (right: Lack): void => {
    if (right === lack) throw new AmqpError('ACCESS_REFUSED', `without ${lack}`);
  };
  return {
    requireQueue: (verb) => require(verb),
    requireExchange: (verb) => require(verb),
    requireTopic: () => require('topic'),
  };
}

/** What the user may not do for want of a right, of all that users lack. */
async function refusals(
  tryWithout: (lack: Lack) => 'done' | 'refused' | Promise<'done' | 'refused'>,
): Promise<Lack[]> {
  const refused: Lack[] = [];
  for (const lack of LACKS) {
    if ((await tryWithout(lack)) === 'refused') refused.push(lack);
  }
  return refused;
}

const titled = ROWS.map((row) => ({
  ...row,
  title: `${row.act} as ${row.amqp?.[0] ?? row.http[1]}`,
}));
const overAmqp = titled.flatMap((row) => (row.amqp === null ? [] : [{ ...row, amqp: row.amqp }]));

test('every act of the door is in the table', () => {
  const methods = Object.getOwnPropertyNames(VhostActor.prototype);
  const acts = new Set<string>(ROWS.map(({ act }) => act));
  const privates = ['constructor', 'requireBinding'];
  expect(methods.filter((name) => !privates.includes(name)).sort()).toEqual(
    [...acts, ...LOOKS].sort(),
  );
});

test.each(titled)('the door refuses $title to users that lack $needs', async ({ door, needs }) => {
  const refused = await refusals((lack) => {
    try {
      door(prepared().vhost.as(rightsWithout(lack)));
      return 'done';
    } catch (error) {
      if ((error as AmqpError).replyName !== 'ACCESS_REFUSED') throw error;
      return 'refused';
    }
  });
  expect(new Set(refused)).toEqual(new Set(needs));
  door(prepared().vhost.as(ALL_RIGHTS));
});

test('what can never be is told before what the user may not, and a right before what is missing', () => {
  const NOTHING: Rights = {
    requireQueue: (verb) => refuse(verb),
    requireExchange: (verb) => refuse(verb),
    requireTopic: () => refuse('topic'),
  };
  const refuse = (right: string): never => {
    throw new AmqpError('ACCESS_REFUSED', `without ${right}`);
  };
  const { vhost } = prepared();
  const without = vhost.as(NOTHING);
  const all = vhost.as(ALL_RIGHTS);
  const missing = { kind: 'queue', name: 'missing' } as const;
  const said: readonly [act: () => unknown, text: string][] = [
    [() => without.declareQueue({ ...QUEUE, name: 'amq.own' }), 'reserved prefix'],
    [() => without.declareExchange({ ...EXCHANGE, name: 'new', type: 'odd' }), 'exchange type'],
    [() => without.declareExchange({ ...EXCHANGE, name: '' }), 'on the default exchange'],
    [() => without.deleteExchange('amq.direct', false), 'deletion of system exchange'],
    [() => without.deleteExchange('missing', false), 'without configure'],
    [() => without.deleteQueue('missing', {}), 'without configure'],
    [() => without.purgeQueue('missing'), 'without read'],
    [() => without.bind('missing', missing, 'key', new Map()), 'without write'],
    [() => without.unbind('missing', missing, 'key', new Map()), 'without write'],
    [() => all.bind('none', missing, 'key', new Map()), "no exchange 'none'"],
    [() => all.bind('none', { kind: 'exchange', name: 'no' }, '', new Map()), "no exchange 'none'"],
    [() => all.bind('topics', missing, 'key', new Map()), "no queue 'missing'"],
    [() => all.purgeQueue('missing'), "no queue 'missing'"],
  ];
  for (const [act, text] of said) expect(act).toThrow(text);
  // What is not there need not be taken away.
  all.unbind('none', missing, 'key', new Map());
  all.deleteExchange('missing', false);
  let ready: number | null = -1;
  all.deleteQueue('missing', {}, undefined, (count) => {
    ready = count;
  });
  expect(ready).toBeNull();
});

describe('through a running broker', () => {
  let api: Api;
  const connections = new Map<Lack, RawConnection>();

  beforeAll(async () => {
    api = await startApi();
    await must('PUT', `/vhosts/${VHOST}`, {});
    for (const lack of LACKS) {
      await must('PUT', `/users/no-${lack}`, { password: 'p', tags: 'management' });
      const patterns = Object.fromEntries(
        ['configure', 'write', 'read'].map((verb) => [verb, verb === lack ? '' : '.*']),
      );
      await must('PUT', `/permissions/${VHOST}/no-${lack}`, patterns);
    }
    const topics = { exchange: 'topics', write: '', read: '' };
    await must('PUT', `/topic-permissions/${VHOST}/no-topic`, topics);
    for (const lack of LACKS) {
      const connection = await RawConnection.dial(endpointOf(api.amqpUrl));
      await connection.open({ user: `no-${lack}`, password: 'p', vhost: VHOST });
      connections.set(lack, connection);
    }
  });

  afterAll(async () => {
    for (const connection of connections.values()) connection.drop();
    await api.close();
  });

  beforeEach(setStage);

  async function must(method: string, path: string, body?: object): Promise<void> {
    const { status, text } = await api.call(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  }

  /** What each row finds there. */
  async function setStage(): Promise<void> {
    for (const kind of ['queues', 'exchanges']) await api.call('DELETE', `/${kind}/${VHOST}/new`);
    await must('PUT', `/queues/${VHOST}/q`, { durable: true });
    const stream = { durable: true, arguments: { 'x-queue-type': 'stream' } };
    await must('PUT', `/queues/${VHOST}/log`, stream);
    for (const name of ['topics', 'inner']) {
      await must('PUT', `/exchanges/${VHOST}/${name}`, { type: 'topic', durable: true });
    }
    for (const end of ['q/q', 'e/inner']) {
      await must('POST', `/bindings/${VHOST}/e/topics/${end}`, { routing_key: 'key' });
    }
  }

  test.each(overAmqp)('AMQP refuses $title to users that lack $needs', async ({ amqp, needs }) => {
    const refused = await refusals(async (lack) => {
      await setStage();
      const reply = await connections.get(lack)?.attempt(...amqp);
      if (reply?.name === `${amqp[0]}-ok`) return 'done';
      expect(reply).toMatchObject({ name: 'channel.close', replyCode: 403 });
      return 'refused';
    });
    expect(new Set(refused)).toEqual(new Set(needs));
  });

  test.each(titled)('HTTP refuses $title to users that lack $needs', async ({ http, needs }) => {
    const refused = await refusals(async (lack) => {
      await setStage();
      const [method, path, body] = http;
      const answer = await api.call(method, path, body, `no-${lack}:p`);
      if (answer.status < 300) return 'done';
      expect(answer).toMatchObject({ status: 401, json: { error: 'not_authorised' } });
      return 'refused';
    });
    expect(new Set(refused)).toEqual(new Set(needs));
  });
});
