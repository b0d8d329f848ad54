// Owns the tests of the table of queue types, and that the other lists of types agree with it.

import type { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { QUEUE_ARGUMENTS } from '../../../../src/broker/queue/arguments/queue-arguments.ts';
import {
  DEFAULT_TYPE,
  QUEUE_TYPES,
  queueTypeOf,
} from '../../../../src/broker/queue/types/registry.ts';
import { STREAM } from '../../../../src/broker/queue/types/stream.ts';
import { buildProgram } from '../../../../src/cli/program.ts';

const CONNECTION = {};

const optionsOf = (command: Command): readonly Option[] => [
  ...command.options,
  ...command.commands.flatMap(optionsOf),
];

const typed = (value: string) => queueTypeOf(new Map([['x-queue-type', { type: 'S', value }]]));

test('a queue is of the type that its arguments name, and of the default one where they name none', () => {
  for (const [name, type] of QUEUE_TYPES) expect(typed(name)).toBe(type);
  expect(queueTypeOf(new Map())).toBe(DEFAULT_TYPE);
  expect(DEFAULT_TYPE.name).toBe('classic');
});

test.each([
  ['classic', [null, null, null]],
  ['quorum', ['non-durable', 'exclusive-owner', 'auto-delete']],
])('a %s queue says which property is not for it', (name, wrong) => {
  const type = QUEUE_TYPES.get(name);
  const queue = { durable: true, owner: null, autoDelete: false };
  expect(type?.wrongProperty(queue)).toBeNull();
  const lives = [{ durable: false }, { owner: CONNECTION }, { autoDelete: true }];
  expect(lives.map((life) => type?.wrongProperty({ ...queue, ...life }))).toEqual(wrong);
});

test('a stream is durable, belongs to no connection and stays without consumers, told in the order of RabbitMQ', () => {
  const of = (durable: boolean, owner: object | null, autoDelete: boolean) =>
    STREAM.wrongProperty({ durable, owner, autoDelete });
  expect(of(true, null, false)).toBeNull();
  expect(of(false, null, false)).toBe('non-durable');
  expect(of(false, CONNECTION, false)).toBe('exclusive-owner');
  expect(of(false, CONNECTION, true)).toBe('auto-delete');
});

test('the argument that names a type takes those of the table alone, and its page lists them', () => {
  const row = QUEUE_ARGUMENTS.find(({ name }) => name === 'x-queue-type');
  for (const name of ['classic', 'quorum', 'stream', 'odd', 'STREAM']) {
    const wrong = row?.check({ type: 'S', value: name }, new Map()) ?? null;
    expect(wrong === null, name).toBe(QUEUE_TYPES.has(name));
    expect(row?.expects.includes(`\`${name}\``), name).toBe(QUEUE_TYPES.has(name));
  }
});

test('the command line offers the types that the broker has', () => {
  const lists = optionsOf(buildProgram()).flatMap(({ argChoices }) =>
    argChoices?.includes(DEFAULT_TYPE.name) ? [argChoices] : [],
  );
  expect(lists.length).toBeGreaterThan(1);
  for (const choices of lists) expect(choices).toEqual([...QUEUE_TYPES.keys()]);
});
