// Owns taking the one file out of a body that is a form (multipart/form-data, RFC 7578). Never reads the body from
// the socket, and never looks at what the file says.

import type { Busboy, BusboyInstance } from '@fastify/busboy';
import type { Clock } from '../../util/clock.ts';
import { TimeSlice } from '../time-slice.ts';

/** A form has one file, and little beside it. */
const PARTS_MAX = 64;
const HEAD_BYTES_MAX = 8 * 1024;
/** Other parts are read over; so much of each may be held for that. */
const FIELD_BYTES_MAX = 1024;
/** What is searched for boundaries at a time. */
const PIECE_BYTES = 64 * 1024;

/** Whether a body of this type is a form. */
export function isForm(contentType: string): boolean {
  return contentType.startsWith('multipart/form-data');
}

/**
 * The bytes of the part with that name, the first one where there are several; null where there is none, or where the
 * form is not whole. The file is no longer than the body, whose length has its limit. Rests on the way.
 */
export async function fileInForm(
  body: Buffer,
  contentType: string,
  name: string,
  clock: Clock,
): Promise<Buffer | null> {
  // Forms are rare: their parser is loaded with the first.
  const { Busboy } = await import('@fastify/busboy');
  const form = parserOf(Busboy, contentType, name);
  if (form === null) return null;
  const parts: Buffer[] = [];
  let found = false;
  const isWhole = new Promise<boolean>((resolve) => {
    form.on('file', (_name, file) => {
      found = true;
      file.on('data', (part: Buffer) => parts.push(part));
      file.on('error', () => resolve(false));
    });
    form.on('finish', () => resolve(true));
    form.on('error', () => resolve(false));
  });
  const timeSlice = new TimeSlice(clock);
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    form.write(body.subarray(at, at + PIECE_BYTES));
    if (timeSlice.due) await timeSlice.rest();
  }
  form.end();
  return (await isWhole) && found ? Buffer.concat(parts) : null;
}

/** A parser; null: the type names no boundary. */
function parserOf(make: typeof Busboy, contentType: string, name: string): BusboyInstance | null {
  try {
    return make({
      headers: { 'content-type': contentType },
      isPartAFile: (partName) => partName === name,
      limits: {
        files: 1,
        parts: PARTS_MAX,
        headerSize: HEAD_BYTES_MAX,
        fieldSize: FIELD_BYTES_MAX,
      },
    });
  } catch {
    return null;
  }
}
