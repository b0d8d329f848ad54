// Owns the table of components that parameters of a vhost may be of, and what each takes: RabbitMQ's rules and texts.
// Never keeps a parameter: parameters.ts does. Limits and operator policies have homes of their own.

import {
  describeTerm,
  isInteger,
  isNumber,
  type JsonObject,
  type JsonValue,
  objectOf,
} from '../../util/json/json.ts';
import { isShort } from '../../util/limits.ts';
import { withoutLogin } from '../../util/url-text.ts';
import { Refusal } from '../errors.ts';

/** What is wrong with a value, in RabbitMQ's words; an empty list: nothing. */
type Check = (name: string, value: JsonValue) => readonly string[];
/** The keys of a value with what each takes. */
type Keys = Readonly<Record<string, Check>>;

/** A component of parameters. */
interface Component {
  check(name: string, value: JsonValue): readonly string[];
  /** Why a parameter of it changes nothing here. */
  readonly withoutEffect: string;
}

const kind =
  (what: string, allows: (value: JsonValue) => boolean): Check =>
  (name, value) =>
    allows(value) ? [] : [`${name} should be ${what}, actually was ${describeTerm(value)}`];

const binary = kind('binary', (value) => typeof value === 'string');
const number = kind('a number', isNumber);
const flag = kind('boolean', (value) => typeof value === 'boolean');
const list = kind('list', Array.isArray);
/** A table, which RabbitMQ takes as a list of pairs. */
const table = kind('list', (value) => objectOf(value) !== null);
const deleteAfter = kind(
  'number, "never" or "queue-length"',
  (value) => value === 'never' || value === 'queue-length' || isInteger(value),
);

function queueName(name: string, value: JsonValue): readonly string[] {
  if (typeof value !== 'string' || isShort(value)) return binary(name, value);
  const size = Buffer.byteLength(value);
  return [`${name} should be less than 255 bytes, actually was ${size}`];
}

function oneOf(...words: readonly string[]): Check {
  const among = kind(`one of ${describeTerm(words)}`, (value) => words.includes(value as string));
  return (name, value) => (typeof value === 'string' ? among : binary)(name, value);
}

const ackMode = oneOf('no-ack', 'on-publish', 'on-confirm');

function uri(name: string, value: JsonValue): readonly string[] {
  if (typeof value !== 'string') {
    const wrong = list(name, value);
    if (wrong.length > 0) return wrong;
    return (value as readonly JsonValue[]).flatMap((each) => uriText(name, each)).slice(0, 1);
  }
  return uriText(name, value);
}

function uriText(name: string, value: JsonValue): readonly string[] {
  if (typeof value !== 'string') return binary(name, value);
  const wrong = faultOfUri(value);
  return wrong === null ? [] : [`"${withoutLogin(value)}" not a valid URI: ${wrong}`];
}

function faultOfUri(text: string): string | null {
  const scheme = /^([^:/]*):/.exec(text)?.[1];
  if (scheme !== 'amqp' && scheme !== 'amqps') {
    return `unexpected URI scheme: ${JSON.stringify(scheme ?? '')}`;
  }
  return URL.canParse(text) ? null : 'it cannot be parsed';
}

/** Checks the keys of a table, as rabbit_parameter_validation:proplist does. */
function tableOf(
  name: string,
  value: JsonValue,
  mandatory: Keys,
  optional: Keys,
): readonly string[] {
  const given = objectOf(value);
  if (given === null) return [`${name} not a list ${describeTerm(value)}`];
  const missing = Object.keys(mandatory).filter((key) => given[key] === undefined);
  const keys = new Map(Object.entries({ ...mandatory, ...optional }));
  const wrong = Object.entries(given).flatMap(([key, each]) => keys.get(key)?.(key, each) ?? []);
  const unknown = Object.entries(given).filter(([key]) => !keys.has(key));
  const terms = unknown.map(([key, each]) => `{<<"${key}">>,${describeTerm(each)}}`);
  return [
    ...(terms.length === 0 ? [] : [`Unrecognised terms [${terms.join(',')}] in ${name}`]),
    ...missing.map((key) => `Key "${key}" not found in ${name}`),
    ...wrong,
  ];
}

const PROTOCOL = oneOf('amqp10', 'amqp091', 'local');
/** What any shovel takes. */
const SHOVEL: Keys = {
  internal: flag,
  internal_owner: table,
  'reconnect-delay': number,
  'ack-mode': ackMode,
  'src-protocol': PROTOCOL,
  'dest-protocol': PROTOCOL,
};
const SRC_091: Keys = {
  'src-exchange': binary,
  'src-exchange-key': binary,
  'src-queue': queueName,
  'src-queue-args': table,
  'src-consumer-args': table,
  'src-predeclared': flag,
  'prefetch-count': number,
  'src-prefetch-count': number,
  'delete-after': deleteAfter,
  'src-delete-after': deleteAfter,
};
const DEST_091: Keys = {
  'dest-exchange': binary,
  'dest-exchange-key': binary,
  'dest-queue': queueName,
  'dest-queue-args': table,
  'dest-predeclared': flag,
  'add-forward-headers': flag,
  'add-timestamp-header': flag,
  'dest-add-forward-headers': flag,
  'dest-add-timestamp-header': flag,
  'publish-properties': table,
  'dest-publish-properties': table,
};
const SRC_10: Keys = { 'src-prefetch-count': number, 'src-delete-after': deleteAfter };
const DEST_10: Keys = {
  'dest-add-forward-headers': flag,
  'dest-add-timestamp-header': flag,
  'dest-application-properties': table,
  'dest-message-annotations': table,
  'dest-properties': table,
};

function checkShovel(name: string, value: JsonValue): readonly string[] {
  const given = objectOf(value) ?? {};
  const from = given['src-protocol'] ?? 'amqp091';
  const to = given['dest-protocol'] ?? 'amqp091';
  const src10 = from === 'amqp10';
  const dest10 = to === 'amqp10';
  const mandatory: Keys = {
    ...(from === 'local' ? {} : { 'src-uri': uri }),
    ...(src10 ? { 'src-address': binary } : {}),
    ...(to === 'local' ? {} : { 'dest-uri': uri }),
    ...(dest10 ? { 'dest-address': binary } : {}),
  };
  const optional: Keys = {
    ...SHOVEL,
    'src-uri': uri,
    'dest-uri': uri,
    ...(src10 ? SRC_10 : SRC_091),
    ...(dest10 ? DEST_10 : DEST_091),
  };
  return [
    ...(src10 ? [] : sourceFaults(given)),
    ...(dest10 ? [] : destinationFaults(given)),
    ...tableOf(name, value, mandatory, optional),
  ];
}

function sourceFaults(given: JsonObject): readonly string[] {
  const ends = ['src-exchange', 'src-queue'].filter((key) => given[key] !== undefined);
  const after = given['src-delete-after'] ?? given['delete-after'];
  const unacked = given['ack-mode'] === 'no-ack' && isInteger(after);
  return [
    ...(ends.length === 0 ? ["Must specify 'src-exchange' or 'src-queue'"] : []),
    ...(ends.length === 2 ? ["Cannot specify 'src-exchange' and 'src-queue'"] : []),
    ...(unacked ? ["Cannot specify 'no-ack' and numerical 'delete-after'"] : []),
  ];
}

function destinationFaults(given: JsonObject): readonly string[] {
  const both = given['dest-exchange'] !== undefined && given['dest-queue'] !== undefined;
  return both ? ["Cannot specify 'dest-exchange' and 'dest-queue'"] : [];
}

/** What upstreams and members of sets of upstreams take. */
const UPSTREAM: Keys = {
  exchange: binary,
  queue: binary,
  'consumer-tag': binary,
  'prefetch-count': number,
  'reconnect-delay': number,
  'max-hops': number,
  expires: number,
  'message-ttl': number,
  'trust-user-id': flag,
  'ack-mode': ackMode,
  'resource-cleanup-mode': oneOf('default', 'never'),
  'queue-type': oneOf('classic', 'quorum'),
  'ha-policy': binary,
  'bind-nowait': flag,
  'channel-use-mode': oneOf('multiple', 'single'),
};

function checkUpstreamSet(name: string, value: JsonValue): readonly string[] {
  if (!Array.isArray(value)) return list(name, value);
  const members = value as readonly JsonValue[];
  return members.flatMap((each) => tableOf(name, each, { upstream: binary }, UPSTREAM));
}

function checkFederation(name: string, value: JsonValue): readonly string[] {
  if (name === 'local-nodename' || name === 'local-username') return binary(name, value);
  return [`name not recognised: ${describeTerm(name)}`];
}

const NO_LINKS = 'Leveret moves no messages between brokers';

/** Every component whose parameters are kept; of another one there are none. */
const COMPONENTS: ReadonlyMap<string, Component> = new Map<string, Component>([
  ['shovel', { check: checkShovel, withoutEffect: NO_LINKS }],
  [
    'federation-upstream',
    {
      check: (name, value) => tableOf(name, value, { uri }, UPSTREAM),
      withoutEffect: NO_LINKS,
    },
  ],
  ['federation-upstream-set', { check: checkUpstreamSet, withoutEffect: NO_LINKS }],
  ['federation', { check: checkFederation, withoutEffect: NO_LINKS }],
]);

/** Refuses a parameter that is none, with RabbitMQ's text. Throws a Refusal. */
export function checkParameter(component: string, name: string, value: JsonValue): void {
  const found = COMPONENTS.get(component);
  const wrong = found?.check(name, value) ?? [`component ${component} not found`];
  if (wrong.length === 0) return;
  throw new Refusal('invalid', `Validation failed\n\n${wrong.join('\n')}\n`);
}

/** Why parameters of a component are kept and change nothing; null: they have an effect, or there are none. */
export function whyWithoutEffect(component: string): string | null {
  return COMPONENTS.get(component)?.withoutEffect ?? null;
}
