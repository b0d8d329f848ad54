import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as wire from '../../src/amqp/constants.ts';
import { REPLY_CODES } from '../../src/amqp/errors.ts';
import { methodKey, methodNameOf } from '../../src/amqp/method-codec.ts';
import type { MethodName } from '../../src/amqp/spec.ts';
import { isClientMethod, METHODS } from '../../src/amqp/spec.ts';

interface XmlMethod {
  readonly id: number;
  readonly content: boolean;
  readonly receivers: readonly string[];
  readonly responses: readonly string[];
  readonly fields: readonly (readonly [string, string])[];
}

interface XmlClass {
  readonly id: number;
  readonly properties: readonly (readonly [string, string])[];
  readonly methods: Readonly<Record<string, XmlMethod>>;
}

interface Xml {
  readonly constants: Readonly<
    Record<string, { readonly value: number; readonly class: string | null }>
  >;
  readonly classes: Readonly<Record<string, XmlClass>>;
}

const xml = JSON.parse(
  readFileSync(new URL('../fixtures/amqp-spec.json', import.meta.url), 'utf8'),
) as Xml;

/** RabbitMQ's methods that are newer than the XML, or older than its revision (class access). */
const ADDED = {
  'connection.blocked': [10, 60, 'server', false, [['reason', 'shortstr']], []],
  'connection.unblocked': [10, 61, 'server', false, [], []],
  'connection.update-secret': [
    10,
    70,
    'client',
    false,
    [
      ['newSecret', 'longstr'],
      ['reason', 'shortstr'],
    ],
    ['connection.update-secret-ok'],
  ],
  'connection.update-secret-ok': [10, 71, 'server', false, [], []],
  'access.request': [
    30,
    10,
    'client',
    false,
    [
      ['realm', 'shortstr'],
      ['exclusive', 'bit'],
      ['passive', 'bit'],
      ['active', 'bit'],
      ['write', 'bit'],
      ['read', 'bit'],
    ],
    ['access.request-ok'],
  ],
  'access.request-ok': [30, 11, 'server', false, [['ticket', 'short']], []],
} as const;

/** The XML names no answer here, though §1.8.3.16 of its prose does. */
const ANSWERS_ADDED: Readonly<Record<string, string>> = { 'basic.recover': 'basic.recover-ok' };

/** The XML writes it as one word here only. */
const FIELDS_RENAMED: Readonly<Record<string, string>> = { nowait: 'noWait' };

function camelCase(name: string): string {
  return FIELDS_RENAMED[name] ?? name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function sender(receivers: readonly string[]): string {
  if (receivers.length === 2) return 'both';
  return receivers[0] === 'server' ? 'client' : 'server';
}

function fromXml(): Map<string, readonly unknown[]> {
  const rows = new Map<string, readonly unknown[]>(Object.entries(ADDED));
  for (const [className, xmlClass] of Object.entries(xml.classes)) {
    for (const [methodName, method] of Object.entries(xmlClass.methods)) {
      const name = `${className}.${methodName}`;
      const added = ANSWERS_ADDED[name];
      const reply = method.responses.map((response) => `${className}.${response}`);
      rows.set(name, [
        xmlClass.id,
        method.id,
        sender(method.receivers),
        method.content,
        method.fields.map(([field, type]) => [camelCase(field), type]),
        added === undefined ? reply : [added],
      ]);
    }
  }
  return rows;
}

const names = Object.keys(METHODS) as MethodName[];

describe('the table of methods', () => {
  const expected = fromXml();

  it('holds the methods of the specification and of RabbitMQ, and no others', () => {
    expect([...names].sort()).toEqual([...expected.keys()].sort());
  });

  it.each(names)('gives %s the ids, sender, content, fields and answers of the XML', (name) => {
    const row = METHODS[name];
    expect([row.classId, row.methodId, row.from, row.content, row.fields, row.reply]).toEqual(
      expected.get(name),
    );
  });

  it('names only answers that exist', () => {
    for (const name of names) {
      for (const reply of METHODS[name].reply) expect(names).toContain(reply);
    }
  });

  it('finds every method by its key and by nothing else', () => {
    const keys = new Set(names.map(methodKey));
    expect(keys.size).toBe(names.length);
    for (const name of names) expect(methodNameOf(methodKey(name))).toBe(name);
    expect(methodNameOf((60 << 16) | 999)).toBeUndefined();
  });

  it('has a constant for every method key', () => {
    const constants = new Map<string, unknown>(Object.entries(wire));
    for (const name of names) {
      const constant = name.toUpperCase().replace(/[.-]/g, '_');
      expect(constants.get(constant), constant).toBe(methodKey(name));
    }
  });

  it('tells what a client may send', () => {
    expect(isClientMethod({ name: 'basic.ack', deliveryTag: 1, multiple: false })).toBe(true);
    expect(isClientMethod({ name: 'tx.select' })).toBe(true);
    expect(isClientMethod({ name: 'tx.select-ok' })).toBe(false);
  });
});

describe('the constants', () => {
  it('are those of the XML', () => {
    const value = (name: string): number | undefined => xml.constants[name]?.value;
    expect(wire.FRAME_METHOD).toBe(value('frame-method'));
    expect(wire.FRAME_HEADER).toBe(value('frame-header'));
    expect(wire.FRAME_BODY).toBe(value('frame-body'));
    expect(wire.FRAME_HEARTBEAT).toBe(value('frame-heartbeat'));
    expect(wire.FRAME_END).toBe(value('frame-end'));
    expect(wire.FRAME_MIN_SIZE).toBe(value('frame-min-size'));
    expect(wire.REPLY_SUCCESS).toBe(value('reply-success'));
    for (const [name, { id }] of Object.entries(xml.classes)) {
      expect(
        new Map<string, unknown>(Object.entries(wire)).get(`CLASS_${name.toUpperCase()}`),
      ).toBe(id);
    }
    expect(wire.PROTOCOL_HEADER.toString('latin1')).toBe('AMQP\0\0\x09\x01');
  });

  it('of replies are those of the XML and NO_ROUTE, which only its prose has', () => {
    const expected: Record<string, number> = { NO_ROUTE: 312 };
    for (const [name, constant] of Object.entries(xml.constants)) {
      if (constant.class === null) continue;
      expected[name.toUpperCase().replaceAll('-', '_')] = constant.value;
    }
    expect(REPLY_CODES).toEqual(expected);
  });
});
