// Where the last record of a log's file lies. Reads its blocks as they are drawn in format.ts, and nothing else.
import { readFileSync } from 'node:fs';
import {
  BLOCK_BYTES,
  readHead,
  readHeader,
  recordBytes,
} from '../../dist/store/log/ring/format.js';

/** Where the record with the highest number begins and ends in a file that is whole. */
export function lastRecordOf(path) {
  const bytes = readFileSync(path);
  const salt = Buffer.from(readHeader(bytes.subarray(0, BLOCK_BYTES)).salt, 'hex');
  let last = { number: 0 };
  for (let at = BLOCK_BYTES; at < bytes.length; ) {
    const head = readHead(bytes, at, salt);
    if (head === null) break;
    const end = at + recordBytes(head.bodyBytes);
    if (head.number > last.number) last = { number: head.number, at, end };
    at = end;
  }
  return last;
}
