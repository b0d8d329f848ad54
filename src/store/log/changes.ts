// Owns the bytes of a batch's changes, as the body of a record of the log has them. Never knows where they are kept.

import { type Batch, KEY_BYTES_MAX, PUT, REMOVE, REMOVE_RANGE } from '../batch.ts';

/*
 *   each change   u8 kind | u8 table | u16 key bytes | u32 value bytes | key | value      (little-endian)
 *
 * For the removal of a range the key is where it starts, and the value where it ends.
 */
const HEAD_BYTES = 8;

/** A value of this length is not copied: it is a part of its own. */
const PART_BYTES_MIN = 8 * 1024;

/** How many bytes the changes of batches take. */
export function bytesOfChanges(batches: readonly Batch[]): number {
  let bytes = 0;
  for (const batch of batches) bytes += batch.bytes + HEAD_BYTES * batch.length;
  return bytes;
}

/** Writes changes into buffers: short ones into one of its own, which is used again, long values as they are. */
export class ChangesWriter {
  private staging = Buffer.allocUnsafeSlow(64 * 1024);

  /** The changes of batches, one behind the other. The parts are good until the next call. */
  write(batches: readonly Batch[]): Buffer[] {
    let staged = 0;
    for (const { keys, values } of batches) {
      for (let i = 0; i < keys.length; i++) {
        const valueBytes = (values[i] as Buffer).length;
        staged += HEAD_BYTES + (keys[i] as Buffer).length;
        if (valueBytes < PART_BYTES_MIN) staged += valueBytes;
      }
    }
    if (staged > this.staging.length) this.staging = Buffer.allocUnsafeSlow(2 * staged);
    const { staging } = this;
    const parts: Buffer[] = [];
    let from = 0;
    let at = 0;
    for (const { kinds, tables, keys, values } of batches) {
      for (let i = 0; i < kinds.length; i++) {
        const key = keys[i] as Buffer;
        const value = values[i] as Buffer;
        staging[at] = kinds[i] as number;
        staging[at + 1] = tables[i] as number;
        staging.writeUInt16LE(key.length, at + 2);
        staging.writeUInt32LE(value.length, at + 4);
        at += HEAD_BYTES;
        staging.set(key, at);
        at += key.length;
        if (value.length < PART_BYTES_MIN) {
          staging.set(value, at);
          at += value.length;
          continue;
        }
        parts.push(staging.subarray(from, at), value);
        from = at;
      }
    }
    if (at > from) parts.push(staging.subarray(from, at));
    return parts;
  }
}

/** Puts the changes of a body into a batch, as views of the body. Returns false where they are no such changes. */
export function readChanges(body: Buffer, batch: Batch): boolean {
  let at = 0;
  while (at < body.length) {
    if (body.length - at < HEAD_BYTES) return false;
    const kind = body.readUInt8(at);
    const table = body.readUInt8(at + 1);
    const keyAt = at + HEAD_BYTES;
    const valueAt = keyAt + body.readUInt16LE(at + 2);
    const end = valueAt + body.readUInt32LE(at + 4);
    if (end > body.length || table === 0 || valueAt - keyAt > KEY_BYTES_MAX) return false;
    const key = body.subarray(keyAt, valueAt);
    const value = body.subarray(valueAt, end);
    if (kind === PUT) batch.put(table, key, value);
    else if (kind === REMOVE) batch.remove(table, key);
    else if (kind === REMOVE_RANGE) batch.removeRange(table, key, value);
    else return false;
    at = end;
  }
  return true;
}
