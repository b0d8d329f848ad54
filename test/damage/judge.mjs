// A process that spoils copies of a store's files, one after the other, and looks at each as `leveret check` and
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
import { applyLog } from '../../dist/store/log/open.js';
import { LOG_FILE } from '../../dist/store/log/ring/file.js';
import { systemClock } from '../../dist/util/clock.js';
import { numberOf } from '../power/body.mjs';
import { randomOf } from '../power/random.mjs';
import { lastRecordOf } from './last-record.mjs';

const NOBODY = { turnWanted() {}, durable() {}, connectionsForced() {} };
const PAGE_BYTES = 4096;

process.once('message', async ({ folders, folder, seed, first, last, pages }) => {
  const { store, queues } = folders.killed;
  const lastRecord = lastRecordOf(join(store, LOG_FILE));
  // What a start finds where the last record counts as cut off.
  copy(store, folder);
  zero(join(folder, LOG_FILE), lastRecord.at);
  const withoutLast = (await look(folder, queues)).right;
  for (let n = first; n < last; n++) {
    process.send({ begins: n });
    const random = randomOf(`${seed} ${n}`);
    const of = ['stopped', 'killed'][random.below(2)];
    const { store, usedBytes, queues } = folders[of];
    copy(store, folder);
    const isLog = !pages && of === 'killed' && random.below(5) > 0;
    const end = isLog ? lastRecord.end : usedBytes;
    const path = join(folder, isLog ? LOG_FILE : 'data.mdb');
    const { what, at } = spoil(path, end, random, pages);
    const found = await look(folder, queues);
    const inLast = at >= lastRecord.at && at < lastRecord.end;
    const log = isLog ? { withoutLast, inLast, named: found.check.includes(LOG_FILE) } : null;
    process.send({ n, of, what: `${isLog ? 'log, ' : ''}${what}`, log, ...found });
  }
  process.disconnect();
});

function copy(from, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['data.mdb', LOG_FILE]) copyFileSync(join(from, name), join(folder, name));
}

function zero(path, at) {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, at);
  closeSync(fd);
}

/** Does one thing to a file that happens to files; returns what, and where it begins. */
function spoil(path, usedBytes, random, pagesOnly) {
  const fd = openSync(path, 'r+');
  const pages = Math.floor(usedBytes / PAGE_BYTES);
  const at = random.below(usedBytes);
  try {
    switch (pagesOnly ? 2 : random.below(6)) {
      case 0:
        ftruncateSync(fd, at);
        return { what: `cut at ${at}`, at };
      case 1: {
        const page = random.below(pages);
        writeSync(fd, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, page * PAGE_BYTES);
        return { what: `page ${page} is zeros`, at: page * PAGE_BYTES };
      }
      case 2: {
        // As a copy that was made while a broker wrote: one page is that of another place.
        const [from, to] = [random.below(pages), random.below(pages)];
        const bytes = Buffer.alloc(PAGE_BYTES);
        readSync(fd, bytes, 0, PAGE_BYTES, from * PAGE_BYTES);
        writeSync(fd, bytes, 0, PAGE_BYTES, to * PAGE_BYTES);
        return { what: `page ${to} is page ${from}`, at: to * PAGE_BYTES };
      }
      default: {
        const byte = Buffer.alloc(1);
        readSync(fd, byte, 0, 1, at);
        const bit = random.below(8);
        byte[0] ^= 1 << bit;
        writeSync(fd, byte, 0, 1, at);
        const page = Math.floor(at / PAGE_BYTES);
        return { what: `bit ${bit} of byte ${at} (page ${page})`, at };
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
    await applyLog(store, folder, {});
  } catch (error) {
    await store?.close(false).catch(() => {});
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
