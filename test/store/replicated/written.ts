// Owns what tests write into a replicated log by hand. Never goes through the code that appends.

import { Batch } from '../../../src/store/batch.ts';
import { bytesOfChanges, ChangesWriter } from '../../../src/store/log/changes.ts';
import type { Place } from '../../../src/store/replicated/chain.ts';
import { digestWith, LEAD, leadBody, recordHead } from '../../../src/store/replicated/record.ts';

export const TABLE = 7;
export const CLAIM = { format: 1, nonce: '5a'.repeat(16), node: 'n1', version: '1.0.0' };

/** The bytes of a record. */
export function record(kind: number, epoch: number, number: number, body = ''): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  return Buffer.concat([recordHead(kind, epoch, number, [bytes]), bytes]);
}

/** A LEAD that counts behind a place, unless `change` says otherwise. */
export function leadBehind(at: Place, change: { previous?: number; format?: number } = {}): Buffer {
  const body = leadBody({ ...CLAIM, previous: at.seq, digest: at.digest, ...change });
  return Buffer.concat([recordHead(LEAD, 0, 0, [body]), body]);
}

/** The place that a LEAD behind another place brings a reader to. */
export function placeOfLead(at: Place): Place {
  const seq = at.seq + 1;
  return { seq, epoch: seq, number: 0, digest: digestWith(at.digest, leadBehind(at)) };
}

/** The body of a batch that puts one row, as latin1. */
export function batchText(key: string, value: string): string {
  const batch = new Batch();
  batch.put(TABLE, Buffer.from(key), Buffer.from(value));
  const body = Buffer.concat(new ChangesWriter().write([batch]));
  if (body.length !== bytesOfChanges([batch])) throw new Error('the lengths differ');
  return body.toString('latin1');
}
