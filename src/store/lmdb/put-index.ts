// Owns the question which keys a batch has put into a range before it removes that range. Never
// looks at the database: what is durable in the range is the engine's to find.

import { type Batch, PUT } from '../batch.ts';

/** Answers, for the removal of a range at an index of the batch, the keys put in it before. */
export type PutKeysBefore = (rangeIndex: number) => Buffer[];

/** Sorts the batch's puts by table and key once, for however many ranges it removes. */
export function indexPuts(batch: Batch): PutKeysBefore {
  const { kinds, tables, keys, values } = batch;
  const order: number[] = [];
  for (let i = 0; i < kinds.length; i += 1) if (kinds[i] === PUT) order.push(i);
  const compare = (index: number, table: number, key: Buffer): number =>
    (tables[index] as number) - table || Buffer.compare(keys[index] as Buffer, key);
  order.sort((a, b) => compare(a, tables[b] as number, keys[b] as Buffer));

  /** The first place in `order` that is not below the key. */
  const placeOf = (table: number, key: Buffer): number => {
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(order[middle] as number, table, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return (rangeIndex) => {
    const table = tables[rangeIndex] as number;
    const from = keys[rangeIndex] as Buffer;
    const to = values[rangeIndex] as Buffer;
    const found: Buffer[] = [];
    const end = placeOf(table, to);
    for (let place = placeOf(table, from); place < end; place += 1) {
      const index = order[place] as number;
      if (index < rangeIndex) found.push(keys[index] as Buffer);
    }
    return found;
  };
}
