// Owns how a table's key lies in the one LMDB database: the table's number, then the key's bytes.
// Never allocates when writing: the table is set beside the call and not joined to the key.

/** A key encoder as lmdb takes it; set `table` before each call that takes a key. */
export interface TableKeys {
  table: number;
  readonly writeKey: (key: Buffer, target: Buffer, position: number) => number;
  readonly readKey: (source: Buffer, start: number, end: number) => Buffer;
}

/** An encoder for one environment. lmdb takes the functions out, so they do without `this`. */
export function tableKeys(): TableKeys {
  const keys: TableKeys = {
    table: 0,
    writeKey: (key, target, position) => {
      target[position] = keys.table;
      target.set(key, position + 1);
      return position + 1 + key.length;
    },
    readKey: (source, start, end) => Buffer.from(source.subarray(start + 1, end)),
  };
  return keys;
}
