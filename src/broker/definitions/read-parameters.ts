// Owns reading parameters of a file of definitions, or one alone, by the home that its component has. Never keeps one.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import { faultOfValue } from '../../util/json/json-input.ts';
import { checkLimits, VHOST_LIMITS, type VhostLimits } from '../access/limits.ts';
import { Refusal } from '../errors.ts';
import { checkParameter } from '../policy/parameter-components.ts';
import { type Policy, type PolicyInput, readPolicy } from '../policy/policy.ts';
import type {
  GlobalParameterDefinition,
  ParameterDefinition,
  PolicyDefinitionItem,
} from './definition-types.ts';
import { Item, ItemRefusal } from './item.ts';

/** The components of parameters that have homes of their own. */
export const OPERATOR_POLICY = 'operator_policy';
export const VHOST_LIMITS_COMPONENT = 'vhost-limits';

/** One parameter, by the home that its component has. */
export type OneParameter =
  | { readonly home: 'policies'; readonly value: Policy }
  | { readonly home: 'limits'; readonly value: VhostLimits }
  | { readonly home: 'others'; readonly value: ParameterDefinition };

/** Reads one parameter as definitions have it. Throws a Refusal, with the words of what is wrong alone. */
export function readOneParameter(json: JsonObject): OneParameter {
  const item = new Item('parameters[0]', json);
  return alone(item, (): OneParameter => {
    const home = homeOf(item);
    if (home === 'policies') return { home, value: readOperatorPolicy(item).policy };
    if (home === 'limits') return { home, value: readVhostLimits(item) };
    return { home, value: readParameter(item) };
  });
}

/** The same for a parameter of the broker. */
export function readOneGlobalParameter(json: JsonObject): GlobalParameterDefinition {
  const item = new Item('global_parameters[0]', json);
  return alone(item, () => readGlobalParameter(item));
}

/** What `run` returns; what it refuses is refused in the words of the rule: the item is all there is. */
function alone<T>(item: Item, run: () => T): T {
  try {
    return item.attempt(run);
  } catch (error) {
    if (!(error instanceof ItemRefusal)) throw error;
    throw new Refusal('invalid', error.original);
  }
}

export type ParameterHome = 'policies' | 'limits' | 'others';

/** Where parameters of the component of an item are kept. */
export function homeOf(item: Item): ParameterHome {
  const component = item.raw('component');
  if (component === OPERATOR_POLICY) return 'policies';
  return component === VHOST_LIMITS_COMPONENT ? 'limits' : 'others';
}

/** RabbitMQ 3.0 calls the name of a parameter its key. */
function nameOf(item: Item): string {
  return item.shortText(
    item.raw('name') === undefined && item.raw('key') !== undefined ? 'key' : 'name',
  );
}

/** The value of a parameter, which is kept as it is. */
function keptValue(item: Item): JsonValue {
  const value = item.raw('value') ?? null;
  const fault = faultOfValue(value);
  if (fault !== null) throw item.refusal(`'value' cannot be kept: ${fault}`);
  return value;
}

export function readVhostLimits(item: Item): VhostLimits {
  return checkLimits(VHOST_LIMITS, item.object('value'));
}

export function readGlobalParameter(item: Item): GlobalParameterDefinition {
  return { name: item.shortText('name'), value: keptValue(item) };
}

export function readParameter(item: Item): ParameterDefinition {
  const component = item.shortText('component');
  if (component === 'policy') throw item.refusal('policies may not be set using this method');
  const name = nameOf(item);
  const value = keptValue(item);
  checkParameter(component, name, value);
  return { component, name, value };
}

export function readOperatorPolicy(item: Item): PolicyDefinitionItem {
  const input = policyInput(item.part('value'));
  const policy = readPolicy(OPERATOR_POLICY, nameOf(item), input);
  return { layer: OPERATOR_POLICY, policy };
}

/** What a policy is made of, as an item has it. */
export function policyInput(item: Item): PolicyInput {
  return {
    pattern: item.raw('pattern'),
    definition: item.raw('definition'),
    priority: item.raw('priority'),
    applyTo: item.raw('apply-to'),
  };
}
