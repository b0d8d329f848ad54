// Makes images of the store's files as a power cut might leave them: all that was synced, and of what was not
// any part, down to single sectors. Reads the recording, and nothing else.
import { readFileSync } from 'node:fs';

const [WRITE, WRITE_SYNCED, SYNC_BEGINS, SYNC_ENDS, LENGTH, WRITE_ENDS] = [1, 2, 3, 4, 5, 6];
const HEAD_BYTES = 24;
/** What a disk writes at once. */
const SECTOR_BYTES = 512;

/** By the number that the recorder gives them. */
const FILES = ['data.mdb', 'batches.log'];

/** The recording of a run, and the files as they are for sure at some place in it. */
export class Recording {
  constructor(path) {
    const bytes = readFileSync(path);
    this.records = [];
    for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
      const kind = bytes.readUInt32LE(at);
      const file = bytes.readUInt32LE(at + 4);
      const offset = Number(bytes.readBigUInt64LE(at + 8));
      const length = Number(bytes.readBigUInt64LE(at + 16));
      const carried = kind === WRITE || kind === WRITE_SYNCED ? length : 0;
      const data = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + carried);
      at += HEAD_BYTES + carried;
      this.records.push({ kind, file, offset, length, data, end: at });
    }
    this.next = 0;
    this.files = FILES.map(() => new RecordedFile());
  }

  /** Goes on to just behind a record. */
  advanceTo(index) {
    while (this.next <= index) {
      const record = this.records[this.next++];
      this.files[record.file].take(record);
    }
  }

  /** The files after a power cut right here: name and bytes of each. */
  cut(random) {
    return FILES.map((name, n) => ({ name, bytes: this.files[n].cut(random) }));
  }
}

/** One of the files. */
class RecordedFile {
  bytes = Buffer.alloc(0);
  pending = [];
  syncing = 0;

  take(record) {
    if (record.kind === WRITE_ENDS) {
      const at = this.pending.findIndex(({ kind }) => kind === WRITE_SYNCED);
      this.settle(this.pending.splice(at, 1));
    } else if (record.kind === SYNC_BEGINS) this.syncing = this.pending.length;
    else if (record.kind === SYNC_ENDS) this.settle(this.pending.splice(0, this.syncing));
    else this.pending.push(record);
  }

  settle(records) {
    for (const record of records)
      this.bytes = apply(this.bytes, record, record.data, record.offset);
  }

  /** What a power cut leaves of it. */
  cut(random) {
    // How much of what was on its way got there: often nothing, often all of it.
    const part = [0, 1, 0.5, 0.9, 0.1][random.below(5)];
    let file = Buffer.from(this.bytes);
    for (const record of this.pending) {
      if (random.next() >= part) continue;
      if (random.below(2) === 0 || record.kind === LENGTH) {
        file = apply(file, record, record.data, record.offset);
        continue;
      }
      for (let at = 0; at < record.data.length; ) {
        const end = Math.min(
          record.data.length,
          at + SECTOR_BYTES - ((record.offset + at) % SECTOR_BYTES),
        );
        if (random.below(2) === 0) {
          file = apply(file, record, record.data.subarray(at, end), record.offset + at);
        }
        at = end;
      }
    }
    return file;
  }
}

function apply(file, { kind, length }, data, offset) {
  if (kind === LENGTH) return resized(file, length);
  const whole = offset + data.length > file.length ? resized(file, offset + data.length) : file;
  data.copy(whole, offset);
  return whole;
}

/** A buffer of that length, zeros where nothing was; room is made for more at once. */
function resized(file, length) {
  if (length <= file.length) return file.subarray(0, length);
  const room = file.buffer.byteLength - file.byteOffset;
  if (room >= length) return Buffer.from(file.buffer, file.byteOffset, length);
  const bigger = Buffer.from(new ArrayBuffer(Math.max(length, 2 * room)), 0, length);
  file.copy(bigger);
  return bigger;
}
