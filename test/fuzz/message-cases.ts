// Owns making up cases for messages: queues and exchanges with odd arguments, messages with odd headers and
// properties, and the ways they are sent. A case is plain JSON. Never runs one: message-run.ts does.
//
// Every case has a witness: whatever is published to the fanout F comes into W, and what dies there goes on
// to W2 over D2, all of which the run makes itself. So each confirmed message is in exactly one of the two, whatever its headers and the arguments of W
// say. S, T and U behind the exchanges X, D and A are the wilderness: there the odd things may lead anywhere.
import { EXCHANGE_ARGUMENTS } from '../../src/broker/exchange/arguments.ts';
import { exchangeTypes } from '../../src/broker/exchange/registry.ts';
import { POLICY_KEYS } from '../../src/broker/policy/policy-keys.ts';
import { CONSUMER_ARGUMENTS } from '../../src/broker/queue/arguments/consumer-arguments.ts';
import { QUEUE_ARGUMENTS } from '../../src/broker/queue/arguments/queue-arguments.ts';
import { Random } from '../amqp/random.ts';
import {
  type Entries,
  jsonOf,
  many,
  ODD_TEXTS,
  type Odd,
  oddEntries,
  oddInteger,
  oddText,
  oddValue,
  type Text,
} from './values.ts';

export type Settle =
  | 'ack'
  | 'nack'
  | 'reject'
  | 'requeue'
  | 'recover'
  | 'close'
  | 'drop'
  | 'no-ack';

/** Properties beside the headers, by their names on the wire. */
export interface OddProperties {
  readonly contentType?: Text;
  readonly contentEncoding?: Text;
  readonly deliveryMode?: number;
  readonly priority?: number;
  readonly correlationId?: Text;
  readonly replyTo?: Text;
  readonly expiration?: Text;
  readonly messageId?: Text;
  readonly timestamp?: string;
  readonly type?: Text;
  readonly userId?: Text;
  readonly appId?: Text;
  readonly clusterId?: Text;
}

export type Op =
  | { readonly op: 'exchange'; readonly name: Text; readonly type: Text; readonly args: Entries }
  | { readonly op: 'queue'; readonly name: Text; readonly durable: boolean; readonly args: Entries }
  | {
      readonly op: 'bind' | 'unbind';
      readonly from: Text;
      readonly to: Text;
      readonly queue: boolean;
      readonly key: Text;
      readonly args: Entries;
    }
  | {
      readonly op: 'publish';
      readonly how: 'confirm' | 'tx' | 'http' | 'plain';
      readonly exchange: Text;
      readonly key: Text;
      readonly mandatory: boolean;
      readonly properties: OddProperties;
      readonly headers: Entries | null;
      readonly bodyBytes: number;
    }
  | { readonly op: 'get'; readonly queue: Text; readonly settle: Settle; readonly times: number }
  | {
      readonly op: 'consume';
      readonly queue: Text;
      readonly settle: Settle;
      readonly args: Entries;
    }
  | { readonly op: 'reply'; readonly headers: Entries; readonly replyTo: Text }
  | { readonly op: 'advance'; readonly ms: number }
  | { readonly op: 'restart'; readonly hard: boolean }
  | {
      readonly op: 'policy';
      readonly operator: boolean;
      /** The definition as JSON; null takes the policy away. */
      readonly definition: string | null;
    }
  | { readonly op: 'trace'; readonly on: boolean }
  | { readonly op: 'http-get'; readonly queue: Text; readonly mode: string }
  | { readonly op: 'browse'; readonly queue: Text; readonly query: string }
  | { readonly op: 'move'; readonly from: Text; readonly to: Text | null }
  | { readonly op: 'purge' | 'delete'; readonly queue: Text };

/** What a run of cases may contain. */
export interface MessageOptions {
  /** Whether the broker may be killed; else it is closed and started again. */
  readonly hard: boolean;
}

const WILD_QUEUES = ['S', 'T', 'U'];
const QUEUES = [...WILD_QUEUES, 'W', 'W2'];
const QUEUE_KEYS = QUEUE_ARGUMENTS.map(({ name }) => name);
/** Queues that go take their messages with them, so that the witness must not. */
const LOSING = ['x-expires', 'x-dead-letter-exchange'];
const SETTLES: readonly Settle[] = [
  'ack',
  'nack',
  'reject',
  'requeue',
  'requeue',
  'recover',
  'close',
  'drop',
  'no-ack',
];
const DEATH_REASONS = ['expired', 'expired', 'rejected', 'rejected', 'maxlen', 'delivery_limit'];
const ACK_MODES = [
  'ack_requeue_true',
  'ack_requeue_false',
  'reject_requeue_true',
  'reject_requeue_false',
];
const TIMES_MS = [0, 1, 49, 50, 51, 1000, 60_000, 3_600_000, 86_400_000];
const SOUND_VALUES: Readonly<Record<string, readonly string[]>> = {
  'x-overflow': ['drop-head', 'reject-publish', 'reject-publish-dlx'],
  'x-queue-type': ['classic', 'quorum', 'stream'],
  'x-max-age': ['1s', '7D', '1Y'],
  'x-stream-offset': ['first', 'last', 'next', '1h'],
  'x-stream-until': ['end'],
  'x-stream-group': ['g', 'h'],
  'x-stream-filter': ['a', 'b'],
  'x-stream-filter-value': ['a', 'b'],
  'x-queue-mode': ['default', 'lazy'],
  'x-dead-letter-exchange': ['D', 'X', 'A', 'nowhere', ''],
  'x-dead-letter-strategy': ['at-most-once', 'at-least-once'],
  'x-dead-letter-routing-key': ['S', 'T', 'a.b'],
  'x-delivery-rate': ['1/h', '3/60s', '1000/s'],
  'x-group-header': ['h', 'x-death', 'CC'],
  'alternate-exchange': ['A', 'nowhere'],
  'hash-header': ['h', 'x-death'],
  'hash-property': ['message_id', 'correlation_id', 'timestamp'],
};

const text = (value: Text): Odd => ['S', value];

/** Makes the case of one number; the same for the same number. */
export function makeMessageCase(seed: number, options: MessageOptions): Op[] {
  const random = new Random(seed);
  const ops = topology(random);
  for (let n = 4 + random.below(10); n > 0; n--) {
    ops.push(...step(random, options));
    if (random.below(12) === 0) ops.push({ op: 'restart', hard: options.hard && random.bool() });
  }
  return ops;
}

function topology(random: Random): Op[] {
  const wild = exchangeTypes;
  const bind = (from: Text, to: Text, queue: boolean, args: Entries = []): Op => {
    const key = random.pick<Text>(['S', '1', '#', 'a.*', random.pick(ODD_TEXTS)]);
    return { op: 'bind', from, to, queue, key, args };
  };
  const ops: Op[] = [
    { op: 'exchange', name: 'A', type: 'fanout', args: [] },
    { op: 'exchange', name: 'X', type: random.pick(wild), args: exchangeArguments(random) },
    { op: 'exchange', name: 'D', type: random.pick(wild), args: exchangeArguments(random) },
    { op: 'queue', name: 'W', durable: true, args: witnessArguments(random) },
    ...WILD_QUEUES.map(
      (name): Op => ({
        op: 'queue',
        name,
        durable: random.below(4) > 0,
        args: queueArguments(random),
      }),
    ),
    bind('F', 'X', false, bindingArguments(random)),
    bind('X', 'S', true, bindingArguments(random)),
    bind('D', 'T', true, bindingArguments(random)),
    bind('A', 'U', true),
  ];
  return ops;
}

function step(random: Random, options: MessageOptions): Op[] {
  const queue = random.pick(QUEUES);
  const settle = random.pick(SETTLES);
  switch (random.below(18)) {
    case 16:
    case 17:
      return dyingAgain(random);
    case 0:
    case 1:
      return [{ op: 'get', queue, settle, times: 1 + random.below(4) }];
    case 2:
      return [{ op: 'consume', queue, settle, args: consumerArguments(random) }];
    case 3:
    case 4:
      return [{ op: 'advance', ms: random.pick(TIMES_MS) }];
    case 5:
      return [{ op: 'http-get', queue, mode: random.pick(ACK_MODES) }];
    case 6:
      return [{ op: 'browse', queue, query: random.pick(BROWSES) }];
    case 7:
      return [move(random)];
    case 8: {
      const definition = random.below(3) === 0 ? null : policyDefinition(random);
      return [{ op: 'policy', operator: random.below(4) === 0, definition }];
    }
    case 9:
      return [misc(random)];
    default:
      return [publish(random), ...(random.bool() ? step(random, options) : [])];
  }
}

/**
 * A message that says it has died in W before, in the way in which it dies there now, with one part of what
 * it says odd: what a broker wrote itself and reads back is what it trusts most.
 */
function dyingAgain(random: Random): Op[] {
  const expires = random.bool();
  const said: [string, Odd][] = [
    ['queue', text('W')],
    ['reason', text(expires ? 'expired' : 'rejected')],
    ['count', ['l', '1']],
    ['time', ['T', '1700000000']],
    ['exchange', text('F')],
    ['routing-keys', ['A', [text('S')]]],
  ];
  const odd = random.pick([0, 2, 2, 2, 3, 4, 5]);
  const entry = said.map(([key, value], at): [string, Odd] => [
    key,
    at === odd ? (random.bool() ? oddInteger(random) : oddValue(random)) : value,
  ]);
  const sent: Op = {
    op: 'publish',
    how: random.pick(['confirm', 'tx']),
    exchange: 'F',
    key: 'S',
    mandatory: false,
    properties: { deliveryMode: 2, ...(expires ? { expiration: '50' } : {}) },
    headers: [['x-death', ['A', [['F', entry]]]]],
    bodyBytes: 0,
  };
  const settle = random.pick<Settle>(['nack', 'reject']);
  const dies: Op = expires
    ? { op: 'advance', ms: 1000 }
    : { op: 'get', queue: 'W', settle, times: 9 };
  return [sent, dies];
}

const BROWSES = [
  'count=100',
  'key=*&count=10',
  'header=x-death',
  'header=CC:S&truncate=1',
  'encoding=base64&truncate=0',
  'header=__proto__',
];

/** Moves within the wilderness, or back from W2: a message on its way there would keep its expiration. */
function move(random: Random): Op {
  if (random.bool()) return { op: 'move', from: 'W2', to: random.bool() ? null : 'W' };
  const to = random.bool() ? null : random.pick(WILD_QUEUES);
  return { op: 'move', from: random.pick(WILD_QUEUES), to };
}

function misc(random: Random): Op {
  const name = random.pick(WILD_QUEUES);
  switch (random.below(6)) {
    case 0:
      return { op: 'trace', on: random.bool() };
    case 1:
      return { op: 'purge', queue: name };
    case 2:
      return { op: 'queue', name, durable: random.bool(), args: queueArguments(random) };
    case 3: {
      const args = bindingArguments(random);
      const kind = random.below(3) === 0 ? 'unbind' : 'bind';
      return { op: kind, from: 'X', to: name, queue: true, key: random.pick(ODD_TEXTS), args };
    }
    case 4:
      return { op: 'delete', queue: name };
    default:
      return {
        op: 'reply',
        headers: messageHeaders(random),
        replyTo: random.pick<Text>(['amq.rabbitmq.reply-to', random.pick(ODD_TEXTS)]),
      };
  }
}

function publish(random: Random): Op {
  const toWitness = random.below(3) > 0;
  return {
    op: 'publish',
    how: random.pick(['confirm', 'confirm', 'confirm', 'tx', 'http', 'plain']),
    exchange: toWitness ? 'F' : random.pick(['X', 'D', 'A', '']),
    key: random.pick<Text>(['S', 'T', 'U', '1', 'a.b', random.pick(ODD_TEXTS)]),
    mandatory: random.below(4) === 0,
    properties: messageProperties(random),
    headers: random.below(8) === 0 ? null : messageHeaders(random),
    bodyBytes: random.pick([0, 0, 0, 1, 100, 5000, 40_000]),
  };
}

// ---- arguments --------------------------------------------------------------------------------

/** A value for an argument: sound, of another width, or anything. */
function valueFor(random: Random, name: string): Odd {
  const sound = SOUND_VALUES[name];
  if (random.below(4) === 0) return oddValue(random);
  if (sound !== undefined) return random.below(4) > 0 ? text(random.pick(sound)) : oddText(random);
  if (name === 'x-single-active-consumer') return ['t', random.bool()];
  if (random.bool())
    return [random.pick(['b', 's', 'I', 'l']), random.pick(['0', '1', '2', '5', '50'])];
  return oddInteger(random);
}

function argumentsFrom(random: Random, names: readonly string[], countMax: number): Entries {
  const chosen = new Set(many(random, countMax, () => random.pick(names)));
  return [...chosen].map((name) => [name, valueFor(random, name)] as const);
}

function queueArguments(random: Random): Entries {
  const deadLetters: Entries = [['x-dead-letter-exchange', text(random.pick(['D', 'X', '']))]];
  const rest = argumentsFrom(random, QUEUE_KEYS, 3);
  const own = rest.some(([name]) => name === 'x-dead-letter-exchange');
  return [...(own || random.below(4) === 0 ? [] : deadLetters), ...rest];
}

function witnessArguments(random: Random): Entries {
  const names = QUEUE_KEYS.filter((name) => !LOSING.includes(name));
  return [['x-dead-letter-exchange', text('D2')], ...argumentsFrom(random, names, 2)];
}

function exchangeArguments(random: Random): Entries {
  if (random.bool()) return [];
  const names = EXCHANGE_ARGUMENTS.map(({ name }) => name);
  return [...argumentsFrom(random, names, 1), ...(random.below(4) === 0 ? oddEntries(random) : [])];
}

function bindingArguments(random: Random): Entries {
  const modes = ['all', 'any', 'all-with-x', 'any-with-x', 'x'];
  const mode: Odd = random.below(4) > 0 ? text(random.pick(modes)) : oddValue(random);
  const conditions = many(random, 3, () => [random.pick(HEADERS), oddValue(random)] as const);
  return random.bool() ? [] : [['x-match', mode], ...conditions];
}

function consumerArguments(random: Random): Entries {
  if (random.bool()) return [];
  const names = [...CONSUMER_ARGUMENTS.map(({ name }) => name), 'x-stream-offset'];
  return argumentsFrom(random, names, 2);
}

/** Keys of a policy with values of any kind. What makes queues go is only for the wilderness. */
function policyDefinition(random: Random): string {
  const keys = new Set(many(random, 2, () => random.pick(POLICY_KEYS).key));
  keys.add(random.pick(POLICY_KEYS).key);
  const values = [...keys].map((key) => {
    const value = valueFor(random, key === 'alternate-exchange' ? key : `x-${key}`);
    return `${JSON.stringify(key)}:${jsonOf(value)}`;
  });
  return `{${values.join()}}`;
}

// ---- messages ---------------------------------------------------------------------------------

/** Headers that the broker reads in one place or another. */
const HEADERS = [
  'x-death',
  'CC',
  'BCC',
  'x-delivery-count',
  'x-acquired-count',
  'x-first-death-reason',
  'x-first-death-queue',
  'x-first-death-exchange',
  'x-last-death-reason',
  'x-last-death-queue',
  'x-last-death-exchange',
  'x-match',
  'x-priority',
  'x-delay',
  'x-stream-offset',
  'x-stream-filter-value',
  'x-stream-publisher',
  'x-stream-publishing-id',
  'x-stream-expected-id',
  'x-acquired-count',
  'x-received-from',
  'x-opt-delivery-time',
  'h',
  'cc',
  'X-DEATH',
];

function messageHeaders(random: Random): Entries {
  const names = new Set(many(random, 4, () => random.pick(HEADERS)));
  if (random.bool()) names.add('x-death');
  const entries = [...names].map((name) => [name as Text, headerValue(random, name)] as const);
  return random.below(4) === 0 ? [...entries, ...oddEntries(random)] : entries;
}

function headerValue(random: Random, name: string): Odd {
  if (random.below(5) === 0) return oddValue(random);
  if (name === 'x-death') return ['A', many(random, 3, () => death(random))];
  if (name === 'CC' || name === 'BCC') return ['A', many(random, 4, () => copyKey(random))];
  return random.bool() ? text(random.pick(ODD_TEXTS)) : oddValue(random);
}

const copyKey = (random: Random): Odd =>
  random.bool()
    ? text(random.pick(WILD_QUEUES))
    : random.bool()
      ? oddText(random)
      : oddValue(random);

/** A death as a client might make it up, or as a broker wrote it and a client spoilt it. */
function death(random: Random): Odd {
  if (random.below(10) === 0) return oddValue(random);
  const sound: [string, () => Odd][] = [
    ['queue', () => text(random.pick(['S', 'T', 'W', 'W', 'W']))],
    ['reason', () => text(random.pick(DEATH_REASONS))],
    ['count', () => (random.bool() ? oddInteger(random) : oddValue(random))],
    ['time', () => oddInteger(random)],
    ['exchange', () => text(random.pick(['X', 'F', 'D', '']))],
    ['routing-keys', () => ['A', many(random, 3, () => copyKey(random))]],
    ['original-expiration', () => oddText(random)],
  ];
  const entries = sound
    .filter(() => random.below(8) > 0)
    .map(([name, make]) => [name, random.below(16) === 0 ? oddValue(random) : make()] as const);
  return ['F', entries];
}

const TIMESTAMPS = [
  '0',
  '1',
  '1700000000',
  '2147483648',
  '9007199254740992',
  '9223372036854775807',
  '18446744073709551615',
];
const EXPIRATIONS: readonly Text[] = ['0', '1', '50', '50', '50', '1000', '315360000000'];

function messageProperties(random: Random): OddProperties {
  const maybe = <T>(share: number, make: () => T): T | undefined =>
    random.below(share) === 0 ? make() : undefined;
  const odd = (): Text => random.pick(ODD_TEXTS);
  const made: Record<keyof OddProperties, unknown> = {
    contentType: maybe(8, odd),
    contentEncoding: maybe(12, odd),
    deliveryMode: maybe(8, () => random.pick([0, 1, 3, 255])) ?? 2,
    priority: maybe(3, () => random.pick([0, 1, 5, 31, 32, 255])),
    correlationId: maybe(8, odd),
    replyTo: maybe(8, odd),
    expiration: maybe(2, () => (random.below(4) === 0 ? odd() : random.pick(EXPIRATIONS))),
    messageId: maybe(8, odd),
    timestamp: maybe(4, () => random.pick(TIMESTAMPS)),
    type: maybe(12, odd),
    userId: maybe(12, () => (random.bool() ? 'guest' : odd())),
    appId: maybe(12, odd),
    clusterId: maybe(16, odd),
  };
  const set = Object.entries(made).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as OddProperties;
}
