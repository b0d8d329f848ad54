// A process that spoils copies of a data file, one after the other, and looks at each as `leveret check` and
// as a broker do. A process of its own: LMDB may end it over what it finds.
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Broker } from '../../dist/broker/broker.js';
import { checkStore, reportOfTrees } from '../../dist/broker/check/check-store.js';
import { readMessage } from '../../dist/message/read-message.js';
import { checkTrees } from '../../dist/store/lmdb/check-tree.js';
import { openLmdbStore } from '../../dist/store/lmdb/open.js';
import { systemClock } from '../../dist/util/clock.js';
import { numberOf } from '../power/body.mjs';
import { randomOf } from '../power/random.mjs';

const NOBODY = { turnWanted() {}, durable() {}, connectionsForced() {} };
const PAGE_BYTES = 4096;

process.once('message', async ({ file, folder, seed, first, last, usedBytes, queues, pages }) => {
  for (let n = first; n < last; n++) {
    process.send({ begins: n });
    const random = randomOf(`${seed} ${n}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'data.mdb');
    copyFileSync(file, path);
    const what = spoil(path, usedBytes, random, pages);
    process.send({ n, what, ...(await look(folder, queues)) });
  }
  process.disconnect();
});

/** Does one thing to a file that happens to files; returns what. */
function spoil(path, usedBytes, random, pagesOnly) {
  const fd = openSync(path, 'r+');
  const pages = Math.floor(usedBytes / PAGE_BYTES);
  const at = random.below(usedBytes);
  try {
    switch (pagesOnly ? 2 : random.below(6)) {
      case 0:
        ftruncateSync(fd, at);
        return `cut at ${at}`;
      case 1: {
        const page = random.below(pages);
        writeSync(fd, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, page * PAGE_BYTES);
        return `page ${page} is zeros`;
      }
      case 2: {
        // As a copy that was made while a broker wrote: one page is that of another place.
        const [from, to] = [random.below(pages), random.below(pages)];
        const bytes = Buffer.alloc(PAGE_BYTES);
        readSync(fd, bytes, 0, PAGE_BYTES, from * PAGE_BYTES);
        writeSync(fd, bytes, 0, PAGE_BYTES, to * PAGE_BYTES);
        return `page ${to} is page ${from}`;
      }
      default: {
        const byte = Buffer.alloc(1);
        readSync(fd, byte, 0, 1, at);
        const bit = random.below(8);
        byte[0] ^= 1 << bit;
        writeSync(fd, byte, 0, 1, at);
        return `bit ${bit} of byte ${at} (page ${Math.floor(at / PAGE_BYTES)})`;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** What a check says, and what a broker would deliver: how many right messages, how many wrong ones. */
async function look(folder, queues) {
  let store;
  try {
    store = await openLmdbStore(folder, { lasting: false });
  } catch (error) {
    return { check: `refused: ${error.message}`, started: false, right: 0, wrong: 0 };
  }
  store.onFailure(() => {});
  try {
    const wrong = await checkTrees(folder);
    const { damage } = wrong.length > 0 ? reportOfTrees(wrong) : checkStore(store);
    const check = damage.length === 0 ? 'sound' : `${damage.length} damaged: ${damage[0].what}`;
    return { check, ...deliver(store, queues) };
  } finally {
    await store.close().catch(() => {});
  }
}

function deliver(store, queues) {
  const counts = { started: false, right: 0, wrong: 0 };
  try {
    const broker = new Broker(store, systemClock, NOBODY);
    broker.recover({ vhost: '/', user: null });
    counts.started = true;
    for (const [name, numbers] of Object.entries(queues)) {
      const queue = broker.vhosts.get('/')?.queues.get(name);
      if (queue === undefined) continue;
      const found = [];
      const visit = (position) => found.push(position);
      const holder = queue.isStream ? queue : queue.messages;
      const all = () => true;
      for (let cursor = 0; cursor >= 0; ) cursor = holder.visitPage(cursor, visit, all);
      found.forEach((position, at) => {
        let number = null;
        try {
          number = numberOf(readMessage(broker.core.log, position).body);
        } catch {
          // It is noticed: the broker stops, and nothing wrong is delivered.
          return;
        }
        if (number === numbers[at] || (found.length < numbers.length && numbers.includes(number)))
          counts.right += 1;
        else counts.wrong += 1;
      });
    }
  } catch {
    // It does not start, or not go on: nothing wrong is delivered either.
  }
  return counts;
}
