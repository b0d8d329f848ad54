// Owns how docs/reference.md is made of the tables in the sources: methods, exchange types, arguments
// and policy keys. Never holds a fact about any of them: the tables do.

import { METHODS } from '../../src/amqp/spec.ts';
import { EXCHANGE_ARGUMENTS } from '../../src/broker/exchange/arguments.ts';
import { BINDING_ARGUMENTS } from '../../src/broker/exchange/binding-arguments.ts';
import { PREDECLARED_EXCHANGES } from '../../src/broker/exchange/predeclared.ts';
import { EXCHANGE_TYPES } from '../../src/broker/exchange/registry.ts';
import { POLICY_KEYS } from '../../src/broker/policy/policy-keys.ts';
import { listOf } from '../../src/broker/queue/arguments/argument-values.ts';
import { CONSUMER_ARGUMENTS } from '../../src/broker/queue/arguments/consumer-arguments.ts';
import {
  QUEUE_ARGUMENTS,
  type QueueArgument,
} from '../../src/broker/queue/arguments/queue-arguments.ts';

/** A table in Markdown; a cell may hold what would end it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
  return lines.join('\n');
}

const code = (text: string): string => `\`${text}\``;
/** The types of queues that something is for; all, if it does not say. */
const types = (onlyFor: readonly string[] | null): string =>
  onlyFor === null ? 'all' : listOf(onlyFor).replace(' or ', ', ');
const yes = (whether: boolean): string => (whether ? 'yes' : '');

/** The methods that clients may send, class by class. */
function methods(): string {
  const classes = new Map<string, string[]>();
  for (const [name, { from }] of Object.entries(METHODS)) {
    const [className = '', method = ''] = name.split('.');
    if (from === 'server' || method.endsWith('-ok')) continue;
    classes.set(className, [...(classes.get(className) ?? []), code(method)]);
  }
  const rows = [...classes].map(([name, list]) => [code(name), list.join(', ')]);
  return table(['class', 'methods'], rows);
}

function exchangeTypes(): string {
  const rows = [...EXCHANGE_TYPES].map(([name, { about, bindingKey }]) => [
    code(name),
    about,
    bindingKey,
  ]);
  return table(['type', 'where a message goes', 'binding key'], rows);
}

function predeclared(): string {
  const named = PREDECLARED_EXCHANGES.map(({ name, type, internal }) => {
    const what = internal ? `${type}, internal` : type;
    return `${name === '' ? 'the default exchange' : code(name)} (${what})`;
  });
  return `Each vhost has from the start: ${named.join(', ')}.`;
}

function exchangeArguments(): string {
  const rows = EXCHANGE_ARGUMENTS.map((row) => [
    code(row.name),
    row.type === null ? 'every' : code(row.type),
    row.expects,
    row.policyKey === null ? '' : code(row.policyKey),
    yes(row.compared),
    row.about,
  ]);
  return table(['argument', 'type', 'value', 'policy key', 'compared', 'what it does'], rows);
}

function queueArguments(list: readonly QueueArgument[]): string {
  const rows = list.map((row) => [
    code(row.name),
    types(row.onlyFor),
    row.expects,
    row.policyKey === null ? '' : code(row.policyKey),
    row.about,
  ]);
  return table(['argument', 'queues', 'value', 'policy key', 'what it does'], rows);
}

function bindingArguments(): string {
  const rows = BINDING_ARGUMENTS.map((row) => [
    code(row.name),
    code(row.type),
    row.expects,
    row.about,
  ]);
  return table(['argument', 'type of the exchange', 'value', 'what it does'], rows);
}

function consumerArguments(): string {
  const rows = CONSUMER_ARGUMENTS.map((row) => [
    code(row.name),
    types(row.onlyFor),
    row.expects,
    row.about,
  ]);
  return table(['argument', 'queues', 'value', 'what it does'], rows);
}

function policyKeys(): string {
  const rows = POLICY_KEYS.map((row) => [
    code(row.key),
    row.onlyFor?.length === 0 ? '' : types(row.onlyFor),
    row.expects,
    yes(row.operator),
    row.about,
  ]);
  return table(['key', 'queues', 'value', 'operator policies', 'what it does'], rows);
}

/** The whole of docs/reference.md. */
export function renderReference(): string {
  return `<!-- Made from the tables in src. Renew it with: npx vitest run test/broker/reference.test.ts -u -->

# Reference

What a client may ask for. Where nothing else is said, the meaning is RabbitMQ's;
[differences.md](differences.md) has the exceptions.

## Methods

Those that clients send, all of AMQP 0-9-1 with RabbitMQ's extensions. \`immediate\`, \`prefetch-size\`,
\`requeue=false\` in \`basic.recover\` and \`active=false\` in \`channel.flow\` are refused with 540, as in
RabbitMQ.

${methods()}

## Exchange types

${exchangeTypes()}

${predeclared()}

A queue gets one copy of a message, however many bindings and exchanges lead to it. Bindings between
exchanges may form cycles.

## Arguments of exchanges

A wrong value is refused with 406, and so is a redeclaration with another value of an argument that is
compared. Arguments that are not in the table are kept and not looked at.

${exchangeArguments()}

## Arguments of bindings

Each other argument of a binding to a \`headers\` exchange is a condition on the header of its name; one without a value
(void) asks only that the header is there.

${bindingArguments()}

## Arguments of queues

A wrong value is refused with 406, and so is a redeclaration with another value, and an argument that is for other types
of queues. Arguments that are not in the table are kept and not looked at.

${queueArguments(QUEUE_ARGUMENTS)}

## Arguments of consumers

${consumerArguments()}

## Policy keys

A policy with a key that is for other types of queues leaves a queue alone, wholly.

${policyKeys()}
`;
}
