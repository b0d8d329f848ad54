// Owns the list of what AMQP methods ask of a user: each act with the fields it sends, and what has to be
// there before. Never connects, and never judges an answer.

import type { Fields } from '../../support/amqp-wire.ts';

/** One method with fields, tried by every user. In texts, `P` stands for `mine` and then for `theirs`. */
export interface MethodAct {
  readonly name: string;
  readonly method: string;
  readonly fields: Fields;
  /** What the owner does before each try. */
  readonly before?: readonly (readonly [method: string, fields: Fields])[];
  /** For basic.publish. */
  readonly properties?: Fields;
  /** Tried once, as no name of the user's choice is in it. */
  readonly once?: true;
}

/** What the owner has made before the first try, by method. */
export const THERE: readonly (readonly [method: string, fields: Fields])[] = [
  ['exchange.declare', { exchange: 'P-direct', type: 'direct' }],
  ['exchange.declare', { exchange: 'P-other', type: 'direct' }],
  ['exchange.declare', { exchange: 'P-topic', type: 'topic' }],
  ['exchange.declare', { exchange: 'P-internal', type: 'direct', internal: true }],
  ['queue.declare', { queue: 'P-queue' }],
  ['queue.declare', { queue: 'P-exclusive', exclusive: true }],
];

const NO_EXCHANGE = [['exchange.delete', { exchange: 'P-new' }]] as const;
const NO_QUEUE = [['queue.delete', { queue: 'P-new' }]] as const;
const KEY = { routingKey: 'mine.k' };

export const METHOD_ACTS: readonly MethodAct[] = [
  ...exchangeActs(),
  ...queueActs(),
  ...bindingActs(),
  ...basicActs(),
  ...actsWithoutNames(),
];

function exchangeActs(): MethodAct[] {
  const declare = (name: string, fields: Fields, before = THERE.slice(0, 1)): MethodAct => ({
    name: `exchange.declare, ${name}`,
    method: 'exchange.declare',
    fields: { type: 'direct', ...fields },
    before,
  });
  const alternate = (exchange: string) => ({ 'alternate-exchange': exchange });
  const remove = (name: string, fields: Fields): MethodAct => ({
    name: `exchange.delete, ${name}`,
    method: 'exchange.delete',
    fields,
    before: THERE.slice(0, 1),
  });
  return [
    declare('a new one', { exchange: 'P-new' }, [...NO_EXCHANGE]),
    declare('one that is there', { exchange: 'P-direct' }),
    declare('one that is there, otherwise', { exchange: 'P-direct', durable: true }),
    declare('passive, there', { exchange: 'P-direct', passive: true }),
    declare('passive, missing', { exchange: 'P-missing', passive: true }),
    declare('of an unknown type', { exchange: 'P-missing', type: 'x-none' }),
    declare('with an alternate exchange', { exchange: 'P-new', arguments: alternate('P-other') }, [
      ...NO_EXCHANGE,
    ]),
    declare(
      'with an alternate exchange of others',
      { exchange: 'P-new', arguments: alternate('theirs-other') },
      [...NO_EXCHANGE],
    ),
    declare('with a missing alternate', { exchange: 'P-new', arguments: alternate('P-missing') }, [
      ...NO_EXCHANGE,
    ]),
    declare('with the default one as alternate', { exchange: 'P-new', arguments: alternate('') }, [
      ...NO_EXCHANGE,
    ]),
    declare(
      'with an alternate exchange that is no text',
      { exchange: 'P-new', arguments: { 'alternate-exchange': 1 } },
      [...NO_EXCHANGE],
    ),
    declare(
      'again with an alternate exchange of others',
      { exchange: 'P-new', arguments: alternate('theirs-other') },
      [
        ...NO_EXCHANGE,
        [
          'exchange.declare',
          { exchange: 'P-new', type: 'direct', arguments: alternate('theirs-other') },
        ],
      ],
    ),
    once(declare('the default one', { exchange: '' })),
    once(declare('the default one, passive', { exchange: '', passive: true })),
    once(declare('a reserved name', { exchange: 'amq.new' })),
    remove('there', { exchange: 'P-direct' }),
    remove('missing', { exchange: 'P-missing' }),
    once(remove('the default one', { exchange: '' })),
    once(remove('one of the broker', { exchange: 'amq.direct' })),
  ];
}

function queueActs(): MethodAct[] {
  const declare = (name: string, fields: Fields, before: MethodAct['before'] = []): MethodAct => ({
    name: `queue.declare, ${name}`,
    method: 'queue.declare',
    fields,
    before,
  });
  const dead = (exchange: unknown): Fields => ({ 'x-dead-letter-exchange': exchange }) as Fields;
  const made = (fields: Fields) => [...NO_QUEUE, ['queue.declare', fields] as const];
  const there = [THERE[4] as (typeof THERE)[0]];
  const on = (method: string, name: string, queue: string): MethodAct => ({
    name: `${method}, ${name}`,
    method,
    fields: { queue },
    before: there,
  });
  return [
    declare('a new one', { queue: 'P-new' }, NO_QUEUE),
    declare('a new exclusive one', { queue: 'P-new', exclusive: true }, NO_QUEUE),
    declare('one that is there', { queue: 'P-queue' }, there),
    declare('one that is there, otherwise', { queue: 'P-queue', durable: true }, there),
    declare('passive, there', { queue: 'P-queue', passive: true }, there),
    declare('passive, missing', { queue: 'P-missing', passive: true }),
    declare('exclusive to others', { queue: 'P-exclusive', exclusive: true }),
    declare('passive, exclusive to others', { queue: 'P-exclusive', passive: true }),
    declare('with dead letters', { queue: 'P-new', arguments: dead('P-other') }, NO_QUEUE),
    declare(
      'with dead letters to an exchange of others',
      { queue: 'P-new', arguments: dead('theirs-other') },
      NO_QUEUE,
    ),
    declare(
      'with dead letters to a missing one',
      { queue: 'P-new', arguments: dead('P-missing') },
      [...NO_QUEUE],
    ),
    declare('with dead letters to the default exchange', { queue: 'P-new', arguments: dead('') }, [
      ...NO_QUEUE,
    ]),
    declare('with dead letters to no text', { queue: 'P-new', arguments: dead(1) }, NO_QUEUE),
    declare(
      'again with dead letters to an exchange of others',
      { queue: 'P-new', arguments: dead('theirs-other') },
      made({ queue: 'P-new', arguments: dead('theirs-other') }),
    ),
    declare('with a bad argument', { queue: 'P-new', arguments: { 'x-max-length': -1 } }, NO_QUEUE),
    once(declare('named by the broker', { queue: '', exclusive: true })),
    once(declare('a reserved name', { queue: 'amq.new' })),
    once(declare('passive, the replies', { queue: 'amq.rabbitmq.reply-to', passive: true })),
    on('queue.purge', 'there', 'P-queue'),
    on('queue.purge', 'missing', 'P-missing'),
    on('queue.purge', 'exclusive to others', 'P-exclusive'),
    on('queue.delete', 'there', 'P-queue'),
    on('queue.delete', 'missing', 'P-missing'),
    on('queue.delete', 'exclusive to others', 'P-exclusive'),
  ];
}

function bindingActs(): MethodAct[] {
  const before = [THERE[0], THERE[4]] as (typeof THERE)[0][];
  const acts: MethodAct[] = [];
  for (const verb of ['bind', 'unbind']) {
    const queue = (name: string, of: string, exchange: string, routingKey = 'mine.k') => {
      const fields = { queue: of, exchange, routingKey };
      acts.push({ name: `queue.${verb}, ${name}`, method: `queue.${verb}`, fields, before });
    };
    queue('to a direct exchange', 'P-queue', 'P-direct');
    queue('to a direct exchange of others', 'P-queue', 'theirs-direct');
    queue('to a missing exchange', 'P-queue', 'P-missing');
    queue('to an internal exchange', 'P-queue', 'P-internal');
    queue('to the default exchange', 'P-queue', '');
    queue('a missing queue', 'P-missing', 'P-direct');
    queue('one that is exclusive to others', 'P-exclusive', 'P-direct');
    queue('to a topic exchange', 'P-queue', 'P-topic');
    queue('to a topic exchange with a key of others', 'P-queue', 'P-topic', 'theirs.k');
    const exchange = (name: string, destination: string, source: string, routingKey = 'mine.k') => {
      const fields = { destination, source, routingKey };
      acts.push({ name: `exchange.${verb}, ${name}`, method: `exchange.${verb}`, fields, before });
    };
    exchange('to a direct exchange', 'P-other', 'P-direct');
    exchange('to a direct exchange of others', 'P-other', 'theirs-direct');
    exchange('to a missing exchange', 'P-other', 'P-missing');
    exchange('to an internal exchange', 'P-other', 'P-internal');
    exchange('to the default exchange', 'P-other', '');
    exchange('the default exchange', '', 'P-direct');
    exchange('a missing one', 'P-missing', 'P-direct');
    exchange('to a topic exchange', 'P-other', 'P-topic');
    exchange('to a topic exchange with a key of others', 'P-other', 'P-topic', 'theirs.k');
  }
  return acts;
}

function basicActs(): MethodAct[] {
  const before = [THERE[0], THERE[4]] as (typeof THERE)[0][];
  const acts: MethodAct[] = [];
  for (const method of ['basic.get', 'basic.consume']) {
    const of = (name: string, queue: string, fields: Fields = {}): MethodAct => ({
      name: `${method}, ${name}`,
      method,
      fields: { queue, ...fields },
      before,
    });
    acts.push(of('there', 'P-queue'));
    acts.push(of('missing', 'P-missing'));
    acts.push(of('exclusive to others', 'P-exclusive'));
    acts.push(once(of('the replies', 'amq.rabbitmq.reply-to', { noAck: true })));
  }
  const publish = (name: string, fields: Fields, properties: Fields = {}): MethodAct => ({
    name: `basic.publish, ${name}`,
    method: 'basic.publish',
    fields: { ...KEY, ...fields },
    properties,
    before,
  });
  acts.push(
    publish('to a direct exchange', { exchange: 'P-direct' }),
    publish('to a missing one', { exchange: 'P-missing' }),
    publish('to an internal one', { exchange: 'P-internal' }),
    publish('to a topic exchange', { exchange: 'P-topic' }),
    publish('to a topic exchange with a key of others', {
      exchange: 'P-topic',
      routingKey: 'theirs.k',
    }),
    publish(
      'to a topic exchange with a copy to a key of others',
      { exchange: 'P-topic' },
      { headers: { CC: ['theirs.k'] } },
    ),
    publish('in the name of others', { exchange: 'P-direct' }, { userId: 'nobody' }),
    publish('with an expiration that is none', { exchange: 'P-direct' }, { expiration: 'x' }),
    once(publish('to the default exchange', { exchange: '' })),
    once(publish('to an exchange of the broker', { exchange: 'amq.fanout' })),
  );
  return acts;
}

function actsWithoutNames(): MethodAct[] {
  const acts: readonly (readonly [string, Fields])[] = [
    ['basic.qos', { prefetchCount: 1 }],
    ['basic.recover', { requeue: true }],
    ['basic.cancel', { consumerTag: 'none' }],
    ['confirm.select', {}],
    ['tx.select', {}],
    ['channel.flow', { active: true }],
  ];
  return acts.map(([method, fields]) => once({ name: method, method, fields }));
}

function once(act: MethodAct): MethodAct {
  return { ...act, once: true };
}
