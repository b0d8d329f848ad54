import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { AmqpError, REPLY_CODES } from '../../src/amqp/errors.ts';

describe('AmqpError', () => {
  it('carries the code and a text that begins with its name', () => {
    const error = new AmqpError('NOT_FOUND', "no queue 'q' in vhost '/'");
    expect(error.code).toBe(404);
    expect(error.replyName).toBe('NOT_FOUND');
    expect(error.replyText).toBe("NOT_FOUND - no queue 'q' in vhost '/'");
    expect(error.message).toBe(error.replyText);
    expect(error.name).toBe('AmqpError');
  });

  it('is soft for the codes that close a channel and hard for all others', () => {
    for (const name of Object.keys(REPLY_CODES) as (keyof typeof REPLY_CODES)[]) {
      const soft = [311, 312, 313, 403, 404, 405, 406].includes(REPLY_CODES[name]);
      expect(new AmqpError(name, '').hard, name).toBe(!soft);
    }
  });

  it('takes another grade when asked, as login does for ACCESS_REFUSED', () => {
    expect(new AmqpError('ACCESS_REFUSED', 'login', { hard: true }).hard).toBe(true);
    expect(new AmqpError('SYNTAX_ERROR', '', { hard: false }).hard).toBe(false);
  });

  it('keeps its cause', () => {
    const cause = new Error('disk');
    expect(new AmqpError('INTERNAL_ERROR', 'x', { cause }).cause).toBe(cause);
    expect('cause' in new AmqpError('INTERNAL_ERROR', 'x')).toBe(false);
  });

  it('cuts its text to 255 bytes, never inside a character', () => {
    for (const letter of ['a', 'é', '日', '😀']) {
      for (let shift = 0; shift < 4; shift += 1) {
        const { replyText } = new AmqpError('NOT_FOUND', 'x'.repeat(shift) + letter.repeat(300));
        const bytes = Buffer.byteLength(replyText);
        expect(bytes).toBeLessThanOrEqual(255);
        expect(bytes).toBeGreaterThan(255 - Buffer.byteLength(letter));
        expect(replyText.endsWith(letter)).toBe(true);
      }
    }
    const whole = `NOT_FOUND - ${'x'.repeat(243)}`;
    expect(new AmqpError('NOT_FOUND', 'x'.repeat(243)).replyText).toBe(whole);
  });
});
