// Owns what can be declared, as forms are made of it: types, arguments and policy keys with what each one does, and why
// messages are not moved. Never holds a fact about any of them: the tables do, and docs/reference.md is made of the same.

import type { JsonObject, JsonValue } from '../../../util/json/json.ts';
import { EXCHANGE_ARGUMENTS } from '../../exchange/arguments.ts';
import { BINDING_ARGUMENTS } from '../../exchange/binding-arguments.ts';
import { EXCHANGE_TYPES } from '../../exchange/registry.ts';
import { APPLY_TO } from '../../policy/policy.ts';
import { POLICY_KEYS } from '../../policy/policy-keys.ts';
import { QUEUE_ARGUMENTS, QUEUE_POLICY_KEYS } from '../../queue/arguments/queue-arguments.ts';
import { NO_EFFECT } from '../../queue/arguments/queue-setting.ts';
import type { ValueShape } from '../../queue/arguments/value-shape.ts';
import { QUEUE_TYPES } from '../../queue/types/registry.ts';
import { STUCK } from '../../republish/redrive.ts';

const QUEUE_KEYS = new Set(QUEUE_POLICY_KEYS.map(({ key }) => key));

/** All of it, for the HTTP API. */
export function reference(): JsonObject {
  return {
    queue_types: [...QUEUE_TYPES.values()].map(({ name, about }) => ({ name, about })),
    exchange_types: [...EXCHANGE_TYPES].map(([name, { about, bindingKey }]) => ({
      name,
      about,
      binding_key: bindingKey,
    })),
    queue_arguments: QUEUE_ARGUMENTS.map((row) => ({
      ...named(row.name, row),
      policy_key: row.policyKey,
      only_for: row.onlyFor === null ? null : [...row.onlyFor],
    })),
    exchange_arguments: EXCHANGE_ARGUMENTS.map((row) => ({
      ...named(row.name, row),
      policy_key: row.policyKey,
      only_for: row.type === null ? null : [row.type],
    })),
    binding_arguments: BINDING_ARGUMENTS.map((row) => ({
      ...named(row.name, { ...row, shape: shapeOf(row.choices) }),
      only_for: [row.type],
    })),
    stuck_reasons: Object.entries(STUCK).map(([name, about]) => ({ name, about })),
    policy_targets: APPLY_TO.map((name) => ({
      name,
      queue_type: [...QUEUE_TYPES.values()].find((type) => type.applyTo === name)?.name ?? null,
    })),
    policy_keys: POLICY_KEYS.map((row) => ({
      ...named(row.key, row),
      operator: row.operator,
      applies_to: QUEUE_KEYS.has(row.key) ? 'queues' : 'exchanges',
      only_for: row.onlyFor === null ? null : [...row.onlyFor],
    })),
  };
}

function named(
  name: string,
  { expects, shape, about }: { expects: string; shape: ValueShape; about: string },
): { readonly [key: string]: JsonValue } {
  return { name, about, expects, effect: about !== NO_EFFECT, value: { ...shape } as JsonObject };
}

function shapeOf(choices: readonly string[] | null): ValueShape {
  return choices === null ? { type: 'string' } : { type: 'choice', choices };
}
