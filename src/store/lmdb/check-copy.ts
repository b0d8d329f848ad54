// Owns whether the file of a copy of the tables is whole, page by page. Never looks into rows.

import { StoreError } from '../errors.ts';
import { checkTrees } from './check-tree.ts';

/**
 * Looks at each page of the tables in a folder, a few at a time: other work goes on meanwhile. Rejects with a StoreError where
 * one is not what it should be, and with the system's error.
 */
export async function checkCopy(folder: string): Promise<void> {
  const [first, ...more] = await checkTrees(folder);
  if (first === undefined) return;
  const rest = more.length === 0 ? '' : `, and ${more.length} more`;
  throw new StoreError(
    `the copy of the tables in ${folder} is damaged (${first}${rest})`,
    'look at the disk, and at the data of this node with leveret check',
    { damaged: true },
  );
}
