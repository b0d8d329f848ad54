// A process that opens images, one after the other, as a broker does that starts, and says what is wrong
// with what it finds. A process of its own: LMDB may end it.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Broker } from '../../dist/broker/broker.js';
import { readMessage } from '../../dist/message/read-message.js';
import { openLmdbStore } from '../../dist/store/lmdb/open.js';
import { systemClock } from '../../dist/util/clock.js';
import { Recording } from './images.mjs';
import { ACKED, KEPT, numberOf } from './load.mjs';
import { randomOf } from './random.mjs';

const NOBODY = { turnWanted() {}, durable() {}, connectionsForced() {} };

process.once('message', async ({ log, folder, seed, images, facts }) => {
  const recording = new Recording(log);
  const from = recording.records.findIndex(({ end }) => end >= facts.declaredAt);
  const random = randomOf(seed);
  // In order, so that the file is made once.
  const places = Array.from(
    { length: images },
    () => from + random.below(recording.records.length - from),
  ).sort((a, b) => a - b);
  for (const place of places) {
    recording.advanceTo(place);
    process.send({ begins: place });
    const image = recording.cut(random);
    const { wrong, counts } = await judge(image, recording.records[place].end, folder, facts);
    process.send({ place, wrong, counts });
  }
  process.disconnect();
});

/** Opens one image; `cutAt` is how long the recording was. */
async function judge(image, cutAt, folder, { declaredAt, messages }) {
  const counts = { confirmed: 0, lost: 0, again: 0, damaged: 0 };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'data.mdb'), image);
  let store;
  try {
    store = await openLmdbStore(folder, { lasting: false });
    const broker = new Broker(store, systemClock, NOBODY);
    broker.recover({ vhost: '/', user: null });
    const found = new Map();
    for (const queue of [KEPT, ACKED]) {
      if (!broker.vhosts.get('/')?.queues.has(queue)) {
        if (declaredAt <= cutAt) return { wrong: `${queue} is gone`, counts };
        continue;
      }
      read(broker, queue, found, counts);
    }
    return { wrong: compare(found, messages, cutAt, counts), counts };
  } catch (error) {
    return { wrong: `it cannot be opened: ${error.message}`, counts };
  } finally {
    await store?.close();
  }
}

function read(broker, name, found, counts) {
  const { messages } = broker.vhosts.get('/').queues.get(name);
  const visit = (position) => {
    const number = numberOf(readMessage(broker.core.log, position).body);
    if (number === null) counts.damaged += 1;
    else found.set(number, name);
  };
  for (let cursor = 0; cursor >= 0; ) cursor = messages.visitPage(cursor, visit);
}

/** What is wrong, or null. */
function compare(found, messages, cutAt, counts) {
  for (const [number, { queue, confirmedAt, ackedFrom, ackedAt }] of messages.entries()) {
    const there = found.get(number) === queue;
    if (confirmedAt <= cutAt) counts.confirmed += 1;
    if (confirmedAt <= cutAt && cutAt < ackedFrom && !there) counts.lost += 1;
    if (ackedAt <= cutAt && there) counts.again += 1;
  }
  const { lost, again, damaged } = counts;
  if (lost + again + damaged === 0) return null;
  return `${lost} confirmed are lost, ${again} acked came back, ${damaged} are damaged`;
}
