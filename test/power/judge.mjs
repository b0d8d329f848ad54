// A process that opens images, one after the other, as a broker does that starts, and says what is wrong
// with what it finds. A process of its own: LMDB may end it.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Broker } from '../../dist/broker/broker.js';
import { readMessage } from '../../dist/message/read-message.js';
import { openLmdbStore } from '../../dist/store/lmdb/open.js';
import { systemClock } from '../../dist/util/clock.js';
import { Recording } from './images.mjs';
import { NEXT, numberOf, QUEUES, STEP, TICKS } from './load.mjs';
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
  const counts = { confirmed: 0, lost: 0, again: 0, twice: 0, early: 0, ticks: 0, damaged: 0 };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'data.mdb'), image);
  let store;
  try {
    store = await openLmdbStore(folder, { lasting: false });
    const broker = new Broker(store, systemClock, NOBODY);
    broker.recover({ vhost: '/', user: null });
    const found = new Map();
    const vhost = broker.vhosts.get('/');
    const ticks = vhost?.queues.get(TICKS);
    let noted = 0;
    for (const { state } of vhost?.schedules.each() ?? []) noted += state.published;
    // What is noted is in the queue, and nothing else.
    if (noted !== (ticks?.readyCount ?? 0)) counts.ticks += 1;
    for (const queue of QUEUES) {
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

/** Notes where each message of a queue is: there may be several places, though there must not. */
function read(broker, name, found, counts) {
  const { messages, delays } = broker.vhosts.get('/').queues.get(name);
  const note = (ready) => (position) => {
    const number = numberOf(readMessage(broker.core.log, position).body);
    if (number === null) counts.damaged += 1;
    else found.set(number, [...(found.get(number) ?? []), { name, ready }]);
  };
  const readAll = (pages, visit) => {
    for (let cursor = 0; cursor >= 0; ) cursor = pages.visitPage(cursor, visit);
  };
  readAll(messages, note(true));
  if (delays.waiting !== null) readAll(delays.waiting, note(false));
}

/** What is wrong, or null. */
function compare(found, messages, cutAt, counts) {
  for (const [number, fact] of messages.entries()) {
    const { queue, confirmedAt, ackedFrom, ackedAt, handedFrom, handedAt, readyFrom } = fact;
    const places = found.get(number) ?? [];
    const there = places.some(({ name }) => name === queue);
    const handedOn = places.some(({ name }) => queue === STEP && name === NEXT);
    if (confirmedAt <= cutAt) counts.confirmed += 1;
    if (confirmedAt <= cutAt && cutAt < ackedFrom && !there && !handedOn) counts.lost += 1;
    if (handedAt <= cutAt && !handedOn) counts.lost += 1;
    if (handedOn && cutAt < handedFrom) counts.again += 1;
    if (ackedAt <= cutAt && there) counts.again += 1;
    if (places.length > 1) counts.twice += 1;
    if (cutAt < readyFrom && places.some(({ ready }) => ready)) counts.early += 1;
  }
  const { lost, again, twice, early, ticks, damaged } = counts;
  if (lost + again + twice + early + ticks + damaged === 0) return null;
  return (
    `${lost} confirmed are lost, ${again} acked came back, ${twice} are there twice, ${early} before their time, ` +
    `${ticks} times the ticks are not those noted, ${damaged} are damaged`
  );
}
