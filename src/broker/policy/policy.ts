// Owns one policy: reading it from JSON with RabbitMQ's error texts, and which queues and exchanges
// it matches. Never applies it: policies.ts does.

import {
  describeTerm,
  isNumber,
  type JsonObject,
  type JsonValue,
  numberOf,
  objectOf,
} from '../../util/json/json.ts';
import { faultOfValue } from '../../util/json/json-input.ts';
import { compilePattern, type Pattern } from '../../util/pattern/pattern.ts';
import { Refusal } from '../errors.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { PolicyDefinition } from '../queue/rules.ts';
import type { QueueType } from '../queue/types/queue-type.ts';
import { type QueueTypeName, TYPES } from '../queue/types/registry.ts';
import { plainKey, policyKey } from './policy-keys.ts';

/** The two layers: what an operator sets holds on top of what other users may set. */
export const LAYERS = ['policy', 'operator_policy'] as const;
export type PolicyLayer = (typeof LAYERS)[number];

/** What a policy may be applied to, and the words for it. */
export const APPLY_TO = [
  'queues',
  ...TYPES.map((type) => type.applyTo),
  'exchanges',
  'all',
] as const;
export type ApplyTo = (typeof APPLY_TO)[number];

/** One policy. */
export interface Policy {
  readonly name: string;
  readonly pattern: Pattern;
  readonly applyTo: ApplyTo;
  readonly priority: number;
  /** As it was given, for exports. */
  readonly definition: JsonObject;
  /** The same as the queue reads it. */
  readonly rules: PolicyDefinition;
  /** Queues of these types have a key in it that they do not know: it leaves them alone. */
  readonly notFor: ReadonlySet<string>;
}

/** What a policy is made of, as JSON has it. */
export interface PolicyInput {
  readonly pattern?: JsonValue | undefined;
  readonly definition?: JsonValue | undefined;
  readonly priority?: JsonValue | undefined;
  readonly applyTo?: JsonValue | undefined;
}

/** Reads a policy; throws a Refusal with RabbitMQ's text when something is wrong with it. */
export function readPolicy(layer: PolicyLayer, name: string, input: PolicyInput): Policy {
  const { applyTo = 'all' } = input;
  const priority = readPriority(input.priority);
  const pattern = readPattern(input.pattern);
  if (!isApplyTo(applyTo)) {
    const word = typeof applyTo === 'string' ? applyTo : describeTerm(applyTo);
    const words = APPLY_TO.map((each) => `'${each}'`).join(', ');
    const listed = words.replace(/(?='all'$)/, 'or ');
    throw refusal(`apply-to '${word}' unrecognised; should be one of: ${listed}`);
  }
  const definition = readDefinition(layer, input.definition);
  return {
    name,
    pattern,
    applyTo,
    priority,
    definition,
    rules: rulesOf(Object.entries(definition)),
    notFor: notForOf(definition),
  };
}

/**
 * Reads a policy that was taken in before, maybe by a version with other rules. What is wrong in it by
 * today's has no effect; it is listed and exported as it was, and can be changed or deleted.
 */
export function readStoredPolicy(layer: PolicyLayer, name: string, input: PolicyInput): Policy {
  try {
    return readPolicy(layer, name, input);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  const { applyTo = 'all' } = input;
  const definition = objectOf(input.definition ?? {}) ?? {};
  const sound = Object.entries(definition).filter(
    ([key, value]) => policyKey(key)?.check(value) === null,
  );
  return {
    name,
    pattern: storedPattern(String(input.pattern)),
    applyTo: isApplyTo(applyTo) ? applyTo : 'all',
    priority: typeof input.priority === 'number' ? input.priority : 0,
    definition,
    rules: rulesOf(sound),
    notFor: notForOf(definition),
  };
}

/** A pattern that is none any more matches nothing. */
function storedPattern(text: string): Pattern {
  try {
    return compilePattern(text);
  } catch {
    return { text, matches: () => false };
  }
}

function rulesOf(entries: readonly (readonly [string, JsonValue])[]): PolicyDefinition {
  const plain = entries.filter(([, value]) => typeof value !== 'object');
  const named = plain.map(([key, value]) => [plainKey(key), value] as const);
  return new Map(named as [string, string | number | bigint | boolean][]);
}

function notForOf(definition: JsonObject): ReadonlySet<string> {
  const lists = Object.keys(definition).flatMap((key) => [policyKey(key)?.onlyFor ?? null]);
  const unknownTo = ({ name }: { readonly name: QueueTypeName }): boolean =>
    lists.some((types) => types !== null && !types.includes(name));
  return new Set(TYPES.filter(unknownTo).map(({ name }) => name));
}

/** A queue as policies see it. */
export interface GovernedQueue {
  readonly name: string;
  readonly type: QueueType;
  /** Goes by these from now on; null: by none. */
  applyPolicy(policy: PolicyDefinition | null, operator: PolicyDefinition | null): void;
}

/** Whether a policy matches that queue. */
export function matchesQueue(policy: Policy, queue: GovernedQueue): boolean {
  const { type } = queue;
  const { applyTo } = policy;
  if (applyTo !== 'all' && applyTo !== 'queues' && applyTo !== type.applyTo) return false;
  return !policy.notFor.has(type.name) && policy.pattern.matches(queue.name);
}

/** Whether a policy matches that exchange. */
export function matchesExchange({ applyTo, pattern }: Policy, exchange: Exchange): boolean {
  return (applyTo === 'all' || applyTo === 'exchanges') && pattern.matches(exchange.name);
}

/** A float that is whole is as good as the integer, as with RabbitMQ. */
function readPriority(given: JsonValue = 0): number {
  const priority = isNumber(given) ? numberOf(given) : Number.NaN;
  if (typeof given !== 'bigint' && Math.abs(priority) <= Number.MAX_SAFE_INTEGER) return priority;
  const size = typeof given === 'bigint' ? ' of at most 53 bits' : '';
  throw refusal(`priority should be a number${size}, actually was ${describeTerm(given)}`);
}

function readPattern(given: JsonValue | undefined): Pattern {
  if (given === undefined) throw refusal('Key "pattern" not found');
  if (typeof given !== 'string') {
    throw refusal(`pattern should be a binary but was ${describeTerm(given)}`);
  }
  try {
    return compilePattern(given);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refusal(`pattern should be regular expression but is invalid: ${why}`);
  }
}

function readDefinition(layer: PolicyLayer, given: JsonValue | undefined): JsonObject {
  if (given === undefined) throw refusal('Key "definition" not found');
  const definition = objectOf(given);
  if (definition === null) {
    throw refusal(`definition must be a dictionary: ${describeTerm(given)}`);
  }
  const entries = Object.entries(definition);
  if (entries.length === 0) throw refusal('no policy provided');
  const fault = faultOfValue(definition);
  if (fault !== null) throw refusal(`definition cannot be kept: ${fault}`);
  const known = (key: string): boolean => {
    const row = policyKey(key);
    return row !== undefined && (row.operator || layer === 'policy');
  };
  const unknown = entries.filter(([key]) => !known(key));
  if (unknown.length > 0) {
    const terms = unknown.map(([key, value]) => `{<<"${key}">>,${describeTerm(value)}}`);
    throw refusal(`[${terms.join(',')}] are not recognised policy settings`);
  }
  for (const [key, value] of entries) {
    const wrong = policyKey(key)?.check(value) ?? null;
    if (wrong !== null) throw refusal(wrong);
  }
  return definition;
}

function isApplyTo(value: JsonValue): value is ApplyTo {
  return APPLY_TO.some((word) => word === value);
}

function refusal(what: string): Refusal {
  return new Refusal('invalid', `Validation failed\n\n${what}\n`);
}
