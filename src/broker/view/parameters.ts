// Owns setting and clearing one parameter for tools, in the home that its component has. Never keeps any.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { Broker } from '../broker.ts';
import {
  OPERATOR_POLICY,
  readOneGlobalParameter,
  readOneParameter,
  VHOST_LIMITS_COMPONENT,
} from '../definitions/read-parameters.ts';
import { whyWithoutEffect } from '../policy/parameter-components.ts';

/** A parameter of a vhost; operator policies and limits are among them, as RabbitMQ has it. */
export interface ParameterView {
  readonly vhost: string;
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

/**
 * Sets a parameter, which may be an operator policy or the limits of the vhost. Throws a Refusal. Returns why it changes
 * nothing here; null: it does.
 */
export function setParameter(broker: Broker, vhost: string, json: JsonObject): string | null {
  const { policies, parameters } = broker.vhost(vhost);
  const { home, value } = readOneParameter(json);
  if (home === 'policies') policies.set(OPERATOR_POLICY, value);
  else if (home === 'limits') broker.setVhostLimits(vhost, value);
  else {
    parameters.set(value);
    return whyWithoutEffect(value.component);
  }
  return null;
}

/** Clears a parameter in the same home. Throws a Refusal when it is not there. */
export function clearParameter(
  broker: Broker,
  vhost: string,
  component: string,
  name: string,
): void {
  const { policies, parameters } = broker.vhost(vhost);
  if (component === OPERATOR_POLICY) policies.clear(component, name);
  else if (component === VHOST_LIMITS_COMPONENT) broker.setVhostLimits(vhost, {});
  else parameters.clear(component, name);
}

/** Sets a parameter of the broker. Throws a Refusal. */
export function setGlobalParameter(broker: Broker, json: JsonObject): void {
  broker.globalParameters.set(readOneGlobalParameter(json));
}
