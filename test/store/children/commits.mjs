// A process of its own that commits one batch after the other until it is killed, or a commit fails.
// Arguments: the folder, the bytes of a value and the number of keys.
// Prints `durable <n>` for each round, or `failed <times it was told> not closed <message>`.

import { openLmdbStore } from '../../../dist/store/lmdb/open.js';

const TABLE = 7;
const [folder, bytes, keys] = process.argv.slice(2);

// Past `ulimit -f`, write(2) then returns EFBIG and the process lives on.
process.on('SIGXFSZ', () => {});

const store = await openLmdbStore(folder, { reserveBytes: 0 });
let failures = 0;
store.onFailure((error) => {
  failures += 1;
  store.put(TABLE, Buffer.from('after'), Buffer.from('the failure'));
  store.seal();
  const closing = store.close().then(
    () => 'closed',
    () => 'not closed',
  );
  setTimeout(async () => {
    console.log(`failed ${failures} ${await closing} ${error.message}`);
    process.exit(3);
  }, 100);
});

/** Round n removes every key and puts them all again, with n in their values. */
function writeRound(round) {
  const value = Buffer.alloc(Number(bytes));
  value.writeUInt32BE(round);
  store.removeRange(TABLE, Buffer.from([0]), Buffer.from([keys]));
  for (let key = 0; key < keys; key += 1) store.put(TABLE, Buffer.from([key]), value);
  store.seal();
}

let round = store.get(TABLE, Buffer.from([0]))?.readUInt32BE() ?? 0;
const first = round;
store.onDurable((batch) => {
  process.stdout.write(`durable ${first + batch}\n`);
  while (round < first + batch + 3) {
    round += 1;
    writeRound(round);
  }
});
round += 1;
writeRound(round);
