import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.ts';
import {
  decodeMethod,
  encodeMethodFrame,
  encodeMethodPayload,
  methodKey,
} from '../../src/amqp/method-codec.ts';
import type { MethodName } from '../../src/amqp/spec.ts';
import { METHODS } from '../../src/amqp/spec.ts';
import { withSeed } from './random.ts';

interface AmqplibDefs {
  encodeMethod(id: number, channel: number, fields: object): Buffer;
  decode(id: number, payload: Buffer): Record<string, unknown>;
  info(id: number): { args: { name: string }[] };
}

// The codec is no public part of amqplib, so it is loaded by its path.
const amqplib = createRequire(import.meta.url)(
  '../../node_modules/amqplib/lib/defs.js',
) as AmqplibDefs;

const names = Object.keys(METHODS) as MethodName[];

function decodeAll(payload: Buffer): unknown {
  return decodeMethod(payload, 0, payload.length);
}

function errorOf(body: () => unknown): AmqpError {
  try {
    body();
  } catch (error) {
    if (error instanceof AmqpError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('methods', () => {
  it.each(names)('%s comes back as it was encoded', (name) => {
    withSeed((random) => {
      for (let round = 0; round < 20; round += 1) {
        const fields = random.methodFields(name);
        expect(decodeAll(encodeMethodPayload(name, fields))).toEqual({ name, ...fields });
      }
    });
  });

  it.each(names)('%s cut short or followed by more is refused', (name) => {
    withSeed((random) => {
      const payload = encodeMethodPayload(name, random.methodFields(name));
      for (let length = 0; length < payload.length; length += 1) {
        const error = errorOf(() => decodeMethod(payload, 0, length));
        expect(error.replyName).toBe('SYNTAX_ERROR');
      }
      const longer = Buffer.concat([payload, Buffer.alloc(1)]);
      expect(errorOf(() => decodeAll(longer)).replyName).toBe('SYNTAX_ERROR');
    });
  });

  it('are decoded from the middle of a chunk, and share no memory with it', () => {
    const frame = encodeMethodFrame(7, 'connection.secure-ok', { response: Buffer.from('abc') });
    const chunk = Buffer.concat([Buffer.from([1, 2, 3]), frame, Buffer.from([4])]);
    const method = decodeMethod(chunk, 10, chunk.length - 2);
    chunk.fill(0);
    expect(method).toEqual({ name: 'connection.secure-ok', response: Buffer.from('abc') });
  });

  it('are framed with type, channel, size and end octet', () => {
    const frame = encodeMethodFrame(258, 'basic.ack', { deliveryTag: 5, multiple: true });
    expect(frame.toString('hex')).toBe(
      '01010200' + '00000d' + '003c0050' + '0000000000000005' + '01' + 'ce',
    );
  });

  it('pack consecutive bits from the lowest up, §4.2.5.2', () => {
    const payload = encodeMethodPayload('queue.delete', {
      queue: '',
      ifUnused: false,
      ifEmpty: true,
      noWait: true,
    });
    expect(payload.toString('hex')).toBe('00320028' + '0000' + '00' + '06');
  });

  it('keep 64-bit numbers exact up to 2^53-1 and refuse larger ones', () => {
    const payload = encodeMethodPayload('basic.ack', {
      deliveryTag: Number.MAX_SAFE_INTEGER,
      multiple: false,
    });
    expect(decodeAll(payload)).toMatchObject({ deliveryTag: 2 ** 53 - 1 });
    payload.writeBigUInt64BE(2n ** 53n, 4);
    expect(errorOf(() => decodeAll(payload)).replyName).toBe('SYNTAX_ERROR');
  });

  it('refuse short strings that are no UTF-8', () => {
    const payload = encodeMethodPayload('basic.cancel', { consumerTag: 'a', noWait: false });
    payload[5] = 0xff;
    const error = errorOf(() => decodeAll(payload));
    expect(error.replyText).toBe('SYNTAX_ERROR - basic.cancel has malformed UTF-8 in a shortstr');
  });

  it('that do not exist are refused by their ids', () => {
    const payload = Buffer.from([0, 60, 3, 231]);
    const error = errorOf(() => decodeAll(payload));
    expect(error.replyText).toBe('COMMAND_INVALID - unknown method {60,999}');
    expect(errorOf(() => decodeAll(Buffer.alloc(4, 0xff))).code).toBe(503);
  });

  it('of random bytes are decoded or refused, never anything else', () => {
    withSeed((random) => {
      for (let round = 0; round < 5000; round += 1) {
        const payload = Buffer.concat([encodeMethodPayload('tx.select', {}), random.bytes(60)]);
        const { classId, methodId } = METHODS[random.pick(names)];
        payload.writeUInt16BE(classId, 0);
        payload.writeUInt16BE(methodId, 2);
        try {
          decodeAll(payload);
        } catch (error) {
          expect(error).toBeInstanceOf(AmqpError);
        }
      }
    });
  });
});

describe("amqplib's codec", () => {
  const EMPTY = { octet: 0, short: 0, long: 0, longlong: 0, bit: false, shortstr: '' };
  // Field tables have their own test; here it only counts that there is one.
  const ours = new Map([['k', { type: 'S' as const, value: 'v' }]]);
  const theirs = { k: 'v' };

  it.each(names)('agrees on %s both ways', (name) => {
    withSeed((random) => {
      const { args } = amqplib.info(methodKey(name));
      expect(args.length).toBe(METHODS[name].fields.length);
      const fields = random.methodFields(name);
      const given: Record<string, unknown> = { ...fields };
      const mapped: Record<string, unknown> = {};
      METHODS[name].fields.forEach(([field, domain], i) => {
        const reserved = field.startsWith('reserved');
        if (domain === 'table') given[field] = ours;
        if (domain === 'table') mapped[args[i]!.name] = theirs;
        else if (!reserved) mapped[args[i]!.name] = given[field];
        else mapped[args[i]!.name] = domain === 'longstr' ? Buffer.alloc(0) : EMPTY[domain];
      });
      const frame = encodeMethodFrame(9, name, given as typeof fields);
      expect(amqplib.encodeMethod(methodKey(name), 9, mapped).toString('hex')).toBe(
        frame.toString('hex'),
      );
      const payload = frame.subarray(11, frame.length - 1);
      expect(amqplib.decode(methodKey(name), payload)).toEqual(mapped);
    });
  });
});
