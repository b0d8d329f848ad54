// Owns what the options of a broker inside a program, and of its calls, may be: names, types and what excludes
// what. Never reads what the values say: the settings and the definitions are judged where they are used.

import { ConfigError } from '../config/config-error.ts';
import { suggest } from '../config/suggest.ts';
import type {
  BrokerOptions,
  BrokerUser,
  ConnectionMatch,
  DepthMatch,
  IdleOptions,
  MessagesOptions,
  PublishMatch,
  QueueOptions,
  WaitOptions,
} from './options.ts';

/** What a value has to be, and a test for it. */
interface Kind {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isScalar = (value: unknown): boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);
const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const LINES = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'child', 'isLevelEnabled'];
const canLog = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  LINES.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');

const TEXT: Kind = { expected: 'a text', fits: isText };
const OBJECT: Kind = { expected: 'an object', fits: isObject };
const TEXTS: Kind = { expected: 'an array of texts', fits: isTextList };

const PORT: Kind = {
  expected: 'a port from 0 (any that is free) to 65535',
  fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
};

const OPTIONS: { readonly [name in keyof Required<BrokerOptions>]: Kind } = {
  memory: { expected: 'true or false', fits: (value) => typeof value === 'boolean' },
  dataDir: TEXT,
  port: PORT,
  host: TEXT,
  managementPort: {
    expected: `${PORT.expected}, or null for none`,
    fits: (value) => PORT.fits(value) || value === null,
  },
  users: { expected: 'an array of users', fits: Array.isArray },
  vhosts: TEXTS,
  definitions: OBJECT,
  settings: {
    expected: 'an object of texts, numbers and booleans',
    fits: (value) => isObject(value) && Object.values(value).every(isScalar),
  },
  logger: { expected: 'a logger of pino', fits: canLog },
};

const USER: { readonly [name in keyof Required<BrokerUser>]: Kind } = {
  name: TEXT,
  password: TEXT,
  tags: TEXTS,
  permission: {
    expected: 'an object with the texts configure, write and read',
    fits: (value) =>
      isObject(value) && ['configure', 'write', 'read'].every((name) => isText(value[name])),
  },
};
const USER_NEEDS = ['name', 'password'];

const IDLE: { readonly [name in keyof Required<IdleOptions>]: Kind } = {
  queues: { expected: 'an array of names of queues', fits: isTextList },
  vhost: TEXT,
  timeoutMs: {
    expected: 'milliseconds from 0 on',
    fits: (value) => typeof value === 'number' && value >= 0,
  },
};
const CONNECTION_MATCH: { readonly [name in keyof Required<ConnectionMatch>]: Kind } = {
  name: TEXT,
  user: TEXT,
  vhost: TEXT,
};
const PUBLISH_MATCH: { readonly [name in keyof Required<PublishMatch>]: Kind } = {
  exchange: TEXT,
  routingKey: TEXT,
};
const ACK_MATCH = { queue: TEXT };
const COUNT: Kind = {
  expected: 'a whole number from 0 on',
  fits: (value) => Number.isInteger(value) && (value as number) >= 0,
};
const QUEUE: { readonly [name in keyof Required<QueueOptions>]: Kind } = { vhost: TEXT };
const MESSAGES: { readonly [name in keyof Required<MessagesOptions>]: Kind } = { limit: COUNT };
const DEPTH: { readonly [name in keyof Required<DepthMatch>]: Kind } = {
  depth: COUNT,
  ready: COUNT,
  unacked: COUNT,
};
const WAIT: { readonly [name in keyof Required<WaitOptions>]: Kind } = {
  timeoutMs: IDLE.timeoutMs,
};

/** Throws a ConfigError for what can be no name of a queue, or no options with it. */
export function checkQueueOptions(name: unknown, options: unknown): void {
  if (!isText(name)) throw new ConfigError('queue', 'expected the name of a queue', 'give a text');
  checkFields('queue', options, QUEUE, [], "hand over an object such as { vhost: '/' }");
}

/** The same for how many messages are wanted. */
export function checkMessages(options: unknown): void {
  checkFields('messages', options, MESSAGES, [], 'hand over an object such as { limit: 10 }');
}

/** The same for a depth that is waited for. */
export function checkDepth(depth: unknown): void {
  const wayOut = 'give a number of messages, or an object such as { ready: 0, unacked: 1 }';
  if (typeof depth !== 'number') return checkFields('waitForDepth', depth, DEPTH, [], wayOut);
  if (!COUNT.fits(depth))
    throw new ConfigError('waitForDepth', `expected ${COUNT.expected}`, wayOut);
}

/** The same for how long to wait. */
export function checkWait(call: string, options: unknown): void {
  checkFields(call, options, WAIT, [], 'hand over an object such as { timeoutMs: 1000 }');
}

/** Throws a ConfigError for options of `idle` that cannot be meant: a typo would wait for other queues. */
export function checkIdle(call: string, options: unknown): void {
  checkFields(call, options, IDLE, [], "hand over an object such as { queues: ['jobs'] }");
}

/** The same for which connections a fault is about: a typo would mean all of them. */
export function checkConnectionMatch(call: string, match: unknown): void {
  checkFields(call, match, CONNECTION_MATCH, [], "hand over an object such as { user: 'app' }");
}

/** The same for which publishes a fault is about. */
export function checkPublishMatch(call: string, match: unknown): void {
  checkFields(call, match, PUBLISH_MATCH, [], "hand over an object such as { exchange: 'jobs' }");
}

/** The same for which acks a fault is about. */
export function checkAckMatch(call: string, match: unknown): void {
  checkFields(call, match, ACK_MATCH, [], "hand over an object such as { queue: 'jobs' }");
}

/** Throws a ConfigError that names the first option that cannot be meant. */
export function checkOptions(place: string, options: BrokerOptions): void {
  checkFields(place, options, OPTIONS, [], 'hand over an object such as { memory: true }');
  const { memory, dataDir, users, settings } = options;
  if (memory === true && dataDir !== undefined) {
    const wayOut = 'leave out memory to keep data in the folder, or dataDir to keep nothing';
    throw new ConfigError(place, 'memory and dataDir exclude each other', wayOut);
  }
  if (memory === false && dataDir === undefined) {
    throw new ConfigError(place, 'memory is false, and dataDir is not given', 'name a folder');
  }
  if (users?.length === 0) {
    throw new ConfigError(`${place}: users`, 'no user could log in', 'name one, or leave it out');
  }
  for (const key of ['memory', 'data_dir']) {
    if (settings === undefined || !Object.hasOwn(settings, key)) continue;
    throw new ConfigError(`${place}: settings.${key}`, 'it is an option', 'use memory or dataDir');
  }
  const names = new Set<string>();
  for (const [at, user] of (users ?? []).entries()) {
    const wayOut = "write for example { name: 'guest', password: 'guest' }";
    checkFields(`${place}: users[${at}]`, user, USER, USER_NEEDS, wayOut);
    if (names.has(user.name)) {
      throw new ConfigError(`${place}: users[${at}]`, 'its name is given twice', 'name it once');
    }
    names.add(user.name);
  }
}

/** Looks at each field of an object; one that is undefined is left out. */
function checkFields(
  place: string,
  given: unknown,
  kinds: Readonly<Record<string, Kind>>,
  needs: readonly string[],
  wayOut: string,
): void {
  if (!isObject(given)) throw new ConfigError(place, 'expected an object', wayOut);
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      const names = Object.keys(kinds);
      const nearest = suggest(name, names);
      const meant = nearest === null ? 'remove it' : `did you mean '${nearest}'?`;
      const known = `${meant} There are ${names.join(', ')}`;
      throw new ConfigError(`${place}: ${name}`, 'there is no option of this name', known);
    }
    if (value !== undefined && !kind.fits(value)) refuse(`${place}: ${name}`, kind);
  }
  for (const name of needs) {
    if (given[name] !== undefined) continue;
    const { expected } = kinds[name] as Kind;
    throw new ConfigError(`${place}: ${name}`, `expected ${expected}, and it is missing`, wayOut);
  }
}

/** What was given is not repeated: it may be a password. */
function refuse(place: string, { expected }: Kind): never {
  throw new ConfigError(place, `expected ${expected}`, 'correct the option, or leave it out');
}
