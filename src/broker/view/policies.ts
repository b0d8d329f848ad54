// Owns what tools see of policies: each of them, and what both layers together say of a queue or an exchange. Never
// applies one.

import { isInteger, type JsonObject, type JsonValue } from '../../util/json/json.ts';
import type { Effective } from '../policy/policies.ts';
import type { Policy } from '../policy/policy.ts';

/** A policy or an operator policy. */
export interface PolicyListing {
  readonly vhost: string;
  readonly name: string;
  readonly pattern: string;
  readonly 'apply-to': string;
  readonly definition: JsonObject;
  readonly priority: number;
}

export function viewPolicy(vhost: string, policy: Policy): PolicyListing {
  return {
    vhost,
    name: policy.name,
    pattern: policy.pattern.text,
    'apply-to': policy.applyTo,
    definition: policy.definition,
    priority: policy.priority,
  };
}

const NOTHING: JsonObject = {};

/** What both layers say together: of two limits the smaller holds, of anything else the operator's. */
export function mergeDefinitions({ policy, operator }: Effective): JsonObject {
  if (operator === null) return policy?.definition ?? NOTHING;
  const merged: Record<string, JsonValue> = { ...policy?.definition };
  for (const [key, value] of Object.entries(operator?.definition ?? {})) {
    const other = merged[key];
    const isLess = isInteger(value) && isInteger(other) && other < value;
    merged[key] = isLess ? other : value;
  }
  return merged;
}
