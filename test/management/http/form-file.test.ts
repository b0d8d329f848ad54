// Owns the tests of files in forms, whatever shape the form has.

import { expect, test } from 'vitest';
import { fileInForm } from '../../../src/management/http/form-file.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { Random } from '../../amqp/random.ts';

const TYPE = 'multipart/form-data; boundary=edge';

function part(head: string, body: string | Buffer): Buffer {
  const start = `--edge\r\ncontent-disposition: form-data; ${head}\r\n\r\n`;
  return Buffer.concat([Buffer.from(start), Buffer.from(body), Buffer.from('\r\n')]);
}

const END = Buffer.from('--edge--\r\n');
const form = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, END]);

function read(body: Buffer, type = TYPE): Promise<Buffer | null> {
  return fileInForm(body, type, 'file', systemClock);
}

async function text(body: Buffer, type = TYPE): Promise<string | undefined> {
  return (await read(body, type))?.toString();
}

test('the part of that name is the file, with a file name or without one', async () => {
  expect(await text(form(part('name="file"', 'plain')))).toBe('plain');
  expect(await text(form(part('name="file"; filename="a b.json"', 'named')))).toBe('named');
  expect(await text(form(part('filename="a.json"; name="file"', 'turned')))).toBe('turned');
  expect(await text(form(part('name=file', 'bare')))).toBe('bare');
  expect(await text(form(part('name="file"', '')))).toBe('');
});

test('what only looks like the name is another part', async () => {
  expect(await read(form(part('filename="file"', 'x')))).toBeNull();
  expect(await read(form(part('name="other"; filename="file"', 'x')))).toBeNull();
  expect(await read(form(part('name="x"; filename="name=\\"file\\""', 'x')))).toBeNull();
  expect(await read(form(part('name="x"', 'name="file"')))).toBeNull();
  expect(await text(form(part('filename="file"', 'x'), part('name="file"', 'right')))).toBe(
    'right',
  );
});

test('of two files the first counts, and other parts do not', async () => {
  const other = part('name="pw"', 'x'.repeat(100_000));
  const both = form(other, part('name="file"', 'first'), other, part('name="file"', 'second'));
  expect(await text(both)).toBe('first');
});

test('binary files come as they are, also where they are long and have what looks like a boundary', async () => {
  const random = new Random(7);
  for (const length of [1, 65_535, 65_536, 65_537, 300_000]) {
    const bytes = Buffer.concat([
      random.bytes(1),
      Buffer.from('\r\n--edg\r\n--\r\n'),
      Buffer.alloc(length),
    ]);
    for (let at = 20; at < bytes.length; at += 97) bytes[at] = random.below(256);
    expect((await read(form(part('name="file"; filename="b"', bytes))))?.equals(bytes)).toBe(true);
  }
});

test('a boundary may be quoted and have odd signs', async () => {
  const body = Buffer.from(
    form(part('name="file"', 'quoted')).toString().replaceAll('edge', "a'b =?"),
  );
  expect(await text(body, `multipart/form-data; charset=utf-8; boundary="a'b =?"`)).toBe('quoted');
  expect(await text(form(part('name="file"', 'x')), 'multipart/form-data; boundary="edge"')).toBe(
    'x',
  );
});

test('a form without a file, without an end or without a boundary has none', async () => {
  const whole = form(part('name="file"', 'text'));
  expect(await read(form())).toBeNull();
  expect(await read(Buffer.alloc(0))).toBeNull();
  expect(await read(form(part('name="other"', 'text')))).toBeNull();
  for (let end = 0; end < whole.length - 4; end++) {
    expect(await read(whole.subarray(0, end)), `cut at ${end}`).toBeNull();
  }
  for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'text/plain']) {
    expect(await read(whole, type), type).toBeNull();
  }
});

test('parts and heads beyond their limits are passed over', async () => {
  const others = Array.from({ length: 64 }, () => part('name="other"', 'x'));
  expect(await read(form(...others, part('name="file"', 'x')))).toBeNull();
  const long = part(`x="${'y'.repeat(9_000)}"; name="file"`, 'x');
  expect(await read(form(long))).toBeNull();
});

test('however a form is changed, reading it ends', async () => {
  const seed = Number(process.env['SEED'] ?? 20_261_129);
  const random = new Random(seed);
  const whole = form(
    part('name="a"', 'x'),
    part('name="file"; filename="f"', 'text'),
    part('name="b"', ''),
  );
  for (let round = 0; round < 2_000; round++) {
    let bytes: Buffer = Buffer.from(whole);
    for (let n = 1 + random.below(4); n > 0; n--) {
      const at = random.below(bytes.length);
      const kind = random.below(3);
      if (kind === 0) bytes[at] = random.pick([0, 10, 13, 34, 45, 58, 255]);
      else if (kind === 1)
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(9))]);
      else
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(bytes.length))]);
      if (bytes.length === 0) bytes = Buffer.from(whole);
    }
    const read = await fileInForm(bytes, TYPE, 'file', systemClock);
    expect(read === null || Buffer.isBuffer(read), `round ${round} of SEED=${seed}`).toBe(true);
  }
});
