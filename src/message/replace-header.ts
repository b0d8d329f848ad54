// Owns making a record out of another with a content header of its own. Never touches the body: its
// bytes are copied once if they stand behind the header, and kept if they stand in parts.

import { FRAME_END, FRAME_HEAD_BYTES, FRAME_HEADER } from '../amqp/constants.ts';
import { Chunk } from './chunk.ts';

/** A record that fills a chunk of its own. */
export interface OwnRecord {
  readonly chunk: Chunk;
  readonly end: number;
}

/** The record from `start` to `end` of a chunk, with another content-header payload. */
export function withHeaderPayload(
  source: Chunk,
  start: number,
  headerFrame: number,
  end: number,
  payload: Buffer,
): OwnRecord {
  const { bytes, parts } = source;
  const oldBytes = source.view.getUint32(headerFrame + 3);
  const bodyFrame = headerFrame + FRAME_HEAD_BYTES + oldBytes + 1;
  // What lies in parts stands behind the end of the buffer.
  const bytesEnd = parts === null ? end : bytes.length;
  const more = payload.length - oldBytes;
  const record = Buffer.allocUnsafe(bytesEnd - start + more);
  let at = bytes.copy(record, 0, start, headerFrame);
  record[at] = FRAME_HEADER;
  record.writeUInt16BE(0, at + 1);
  record.writeUInt32BE(payload.length, at + 3);
  at += FRAME_HEAD_BYTES;
  at += payload.copy(record, at);
  record[at] = FRAME_END;
  bytes.copy(record, at + 1, bodyFrame, bytesEnd);
  const chunk = new Chunk();
  chunk.loadRecord(record, parts);
  return { chunk, end: end - start + more };
}
