// Compares the tables of stopped nodes: brings each up to the end of the log, as a follower does, and makes a digest of all
// that it has. Never changes anything else.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const AGAIN_MS = 20;
const LIMIT_MS = 60_000;
const TABLE_LAST = 255;
const HIGHEST = Buffer.alloc(1024, 0xff);
const EXAMPLES = 3;
const MODULES = [
  // First, and alone: else Node 20 takes LMDB's loader for what it is not yet.
  'store/lmdb/environment.js',
  'store/opened-store.js',
  'store/replicated/follower.js',
  'store/replicated/place.js',
  'store/format.js',
  'store/tables.js',
];

/**
 * What is wrong with the folders of nodes, in sentences, and how many rows they have, in all and by table.
 * @param {import('./cluster.mjs').Cluster} cluster all of whose nodes have stopped
 */
export async function compareTables({ client, dist, nodes }) {
  const modules = await load(dist);
  const faults = [];
  const all = [];
  for (const { name, data } of nodes) {
    all.push({ name, ...(await readTables(modules, client, data)) });
  }
  const [first, ...others] = all;
  for (const other of others) {
    if (first.place !== other.place) {
      faults.push(`${first.name} is at ${first.place}, ${other.name} at ${other.place}`);
    }
    if (first.digest !== other.digest) faults.push(whatDiffers(first, other));
  }
  return { faults, rows: first.rows.size, tables: first.tables, place: first.place };
}

async function load(dist) {
  const modules = {};
  // One after the other: Node 20 gives what two of them wait for out before it is whole.
  for (const file of MODULES) Object.assign(modules, await import(join(dist, file)));
  return modules;
}

async function readTables(modules, client, data) {
  const { openStore, closeStore, Follower, readPlace, FORMAT_VERSION } = modules;
  const place = { dataDir: data, memory: false, commitTimeoutMs: LIMIT_MS, replicated: true };
  const opened = await openStore(place, 'crash test');
  try {
    const { store } = opened;
    let failure = null;
    const events = {
      failed: (error) => {
        failure = error;
      },
      behind: (first) => {
        failure = new Error(`the log begins at ${first}`);
      },
    };
    const follower = new Follower(store, readPlace(store), FORMAT_VERSION, events);
    const { last } = await client.state();
    const following = client.follow(follower.place.seq + 1, follower);
    for (let waitedMs = 0; follower.place.seq < last && failure === null; waitedMs += AGAIN_MS) {
      if (waitedMs > LIMIT_MS) throw new Error(`${data} does not come to record ${last}`);
      await sleep(AGAIN_MS);
    }
    await following.stop();
    await follower.settled();
    if (failure !== null) throw failure;
    return { ...digestOf(modules, store), place: JSON.stringify(readPlace(store)) };
  } finally {
    await closeStore(opened, false);
  }
}

/** Of all rows but those that say who wrote the folder, and how far it is. */
function digestOf({ TABLE_META, TABLE_LOG }, store) {
  const hash = createHash('sha256');
  const rows = new Map();
  const tables = {};
  for (let table = 1; table <= TABLE_LAST; table++) {
    if (table === TABLE_META || table === TABLE_LOG) continue;
    for (const { key, value } of store.range(table, Buffer.alloc(0), HIGHEST)) {
      const sum = createHash('sha256').update(value).digest('base64');
      const name = `${table} ${key.toString('hex')}`;
      rows.set(name, sum);
      tables[table] = (tables[table] ?? 0) + 1;
      hash.update(`${name} ${sum}\n`);
    }
  }
  return { digest: hash.digest('hex'), rows, tables };
}

function whatDiffers(first, other) {
  const names = new Set([...first.rows.keys(), ...other.rows.keys()]);
  const different = [...names].filter((name) => first.rows.get(name) !== other.rows.get(name));
  const shown = different.slice(0, EXAMPLES).map((name) => {
    const where = [first, other].filter(({ rows }) => rows.has(name)).map((each) => each.name);
    return `table ${name} (in ${where.join(' and ')})`;
  });
  const text = `${different.length} rows of ${first.name} and ${other.name} differ`;
  return `${text}: ${shown.join(', ')}`;
}
