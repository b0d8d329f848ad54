// Owns compressing answers for clients that take that: which are long enough, and how many at a time. Never knows what
// they say.

import { pipeline, Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What is shorter goes out in one or two packets anyway. */
const BYTES_MIN = 2048;
/** So many answers are compressed at a time; each takes about 270 KB meanwhile. Further ones go out as they are. */
const AT_ONCE_MAX = 16;
/** Lists become 15 times shorter; level 6 takes twice as long for 18 times. */
const LEVEL = 3;

const zip = promisify(gzip);

/** Whether `Accept-Encoding` names gzip without refusing it. */
export function takesGzip(header: string | string[] | undefined): boolean {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text
    .toLowerCase()
    .split(',')
    .map((each) => each.split(';').map((part) => part.trim()))
    .some(([coding, quality = 'q=1']) => coding === 'gzip' && !/^q=0(\.0*)?$/.test(quality));
}

/** The bytes of a file that is kept, compressed as far as they go; null: they are hardly shorter. */
export async function zippedFile(bytes: Buffer): Promise<Buffer | null> {
  if (bytes.length < BYTES_MIN) return null;
  const zipped = await zip(bytes, { level: 9 });
  return zipped.length < bytes.length * 0.9 ? zipped : null;
}

/** What compresses the answers of one server. */
export class Gzips {
  private running = 0;

  /** What compresses an answer, until it is read to its end or destroyed; null: too many are compressed. */
  take(): Transform | null {
    if (this.running >= AT_ONCE_MAX) return null;
    this.running += 1;
    const packed = createGzip({ level: LEVEL });
    packed.once('close', () => {
      this.running -= 1;
    });
    return packed;
  }

  /** What is sent of an answer: it compressed, where that is worth it and the client takes it. */
  async packed(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const isLong = Buffer.isBuffer(payload)
      ? payload.length >= BYTES_MIN
      : payload instanceof Readable;
    if (!isLong || reply.hasHeader('content-encoding') || reply.hasHeader('content-length')) {
      return payload;
    }
    reply.header('vary', varyOf(reply));
    // What HEAD is told is the length of what it is.
    if (request.method === 'HEAD' || !takesGzip(request.headers['accept-encoding'])) return payload;
    const packed = this.take();
    if (packed === null) return payload;
    reply.header('content-encoding', 'gzip');
    if (Buffer.isBuffer(payload)) return packed.end(payload);
    // An error of one ends the other, and so the answer.
    return pipeline(payload as Readable, packed, () => {});
  }
}

/** The header `vary` of an answer that is compressed for some. */
export function varyOf(reply: FastifyReply): string {
  const others = reply.getHeader('vary');
  return others === undefined ? 'accept-encoding' : `${String(others)}, accept-encoding`;
}
