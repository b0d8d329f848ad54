// A process that opens images, one after the other, as a broker does that starts, and says what is wrong
// with what it finds. A process of its own: LMDB may end it.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { numberOf } from './body.mjs';
import { Recording } from './images.mjs';
import { judgeGroups } from './judge-groups.mjs';
import { judgeKeys } from './judge-keys.mjs';
import { randomOf } from './random.mjs';
import { judgeStream } from './stream.mjs';
import { NEXT, QUEUES, STEP, STREAM, TICKS } from './topology.mjs';
import { noneWrong, textOf } from './wrongs.mjs';

const NOBODY = { turnWanted() {}, durable() {}, connectionsForced() {} };

process.once('message', async ({ build, log, folder, seed, images, facts }) => {
  const parts = await load(build);
  const recording = new Recording(log);
  const random = randomOf(seed);
  const { records } = recording;
  const behind = (bytes) => records.findIndex(({ end }) => end >= bytes);
  const whole = behind(facts.declaredAt);
  const start = behind(facts.startedAt + 1);
  // In order, so that the files are made once. There is little in a start, and all of it matters.
  const places = Array.from({ length: images }, () => {
    const from = random.below(8) === 0 ? start : whole;
    return from + random.below(records.length - from);
  }).sort((a, b) => a - b);
  for (const place of places) {
    recording.advanceTo(place);
    process.send({ begins: place });
    const files = recording.cut(random);
    const { end } = records[place];
    const { wrong, counts } = await judge(parts, files, end, folder, facts);
    process.send({ place, wrong, counts });
  }
  process.disconnect();
});

/** What it takes to open an image, of the build whose promises are judged. */
async function load(build) {
  const store = ['store/lmdb/open', 'store/log/open'];
  const parts = ['broker/broker', 'message/read-message', 'util/clock', ...store];
  const urls = parts.map((part) => pathToFileURL(join(build, 'dist', `${part}.js`)));
  return Object.assign({}, ...(await Promise.all(urls.map((url) => import(url)))));
}

/** Opens one image; `cutAt` is how long the recording was. */
async function judge(parts, files, cutAt, folder, { declaredAt, messages, seen }) {
  const counts = { confirmed: 0, replayed: 0, torn: 0, ...noneWrong() };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes);
  let store;
  try {
    store = await parts.openLmdbStore(folder, { lasting: false });
    const replay = await parts.applyLog(store, folder, {});
    counts.replayed += replay.records;
    counts.torn += replay.tornBytes > 0 ? 1 : 0;
    const clock = new MovedClock(parts.systemClock);
    const broker = new parts.Broker(store, clock, NOBODY);
    broker.recover({ vhost: '/', user: null });
    const vhost = broker.vhosts.get('/');
    for (const queue of QUEUES) {
      if (vhost?.queues.has(queue)) continue;
      return { wrong: declaredAt <= cutAt ? `${queue} is gone` : null, counts };
    }
    const numberAt = (position) => numberOf(parts.readMessage(broker.core.log, position).body);
    const found = new Map();
    for (const name of QUEUES) {
      const queue = vhost.queues.get(name);
      if (name === STREAM) judgeStream(queue, seen, cutAt, found, numberAt, counts);
      else read(queue, found, numberAt, counts);
    }
    // What is noted is in the queue, and nothing else.
    let noted = 0;
    for (const { state } of vhost.schedules.each()) noted += state.published;
    if (noted !== (vhost.queues.get(TICKS)?.readyCount ?? 0)) counts.ticks += 1;
    compare(found, messages, cutAt, counts);
    judgeKeys(vhost, messages, found, cutAt, counts);
    await judgeGroups(broker, clock, messages, found, numberAt, counts);
    return { wrong: textOf(counts), counts };
  } catch (error) {
    counts.unopened = 1;
    return { wrong: `it cannot be opened: ${error.message}`, counts };
  } finally {
    await store?.close();
  }
}

/** A clock that can be set forward. */
class MovedClock {
  aheadMs = 0;

  constructor(clock) {
    this.clock = clock;
  }

  wallMs() {
    return this.clock.wallMs() + this.aheadMs;
  }

  monotonicMs() {
    return this.clock.monotonicMs() + this.aheadMs;
  }
}

/** Notes where each message of a queue is: there may be several places, though there must not. */
function read({ name, messages, delays }, found, numberAt, counts) {
  const note = (ready) => (position) => {
    const number = numberAt(position);
    if (number === null) counts.damaged += 1;
    else found.set(number, [...(found.get(number) ?? []), { name, ready }]);
  };
  const readAll = (pages, visit) => {
    for (let cursor = 0; cursor >= 0; ) cursor = pages.visitPage(cursor, visit);
  };
  readAll(messages, note(true));
  if (delays.waiting !== null) readAll(delays.waiting, note(false));
}

/** Counts what is wrong with where messages are. */
function compare(found, messages, cutAt, counts) {
  const isThere = (number) => {
    const places = found.get(number) ?? [];
    return messages[number].queues.every((queue) => places.some(({ name }) => name === queue));
  };
  for (const [number, fact] of messages.entries()) {
    const { place, queues, confirmedAt, ackedFrom, ackedAt, handedFrom, handedAt, readyFrom } =
      fact;
    const places = found.get(number) ?? [];
    const confirmed = confirmedAt <= cutAt;
    if (confirmed) counts.confirmed += 1;
    if (fact.firstOf !== null) {
      // It is confirmed in place of the first one, and is nowhere itself.
      const first = messages[fact.firstOf];
      if (confirmed && cutAt < first.ackedFrom && !isThere(fact.firstOf)) counts.lost += 1;
      if (places.length > 0) counts.twice += 1;
      continue;
    }
    const there = isThere(number);
    const handedOn = places.some(({ name }) => place === STEP && name === NEXT);
    if (confirmed && cutAt < ackedFrom && !there && !handedOn) counts.lost += 1;
    // It goes to all of its queues or to none.
    else if (!there && queues.length > 1 && places.length > 0) counts.lost += 1;
    if (handedAt <= cutAt && !handedOn) counts.lost += 1;
    if (handedOn && cutAt < handedFrom) counts.again += 1;
    if (ackedAt <= cutAt && there) counts.again += 1;
    if (places.length > queues.length) counts.twice += 1;
    if (cutAt < readyFrom && places.some(({ ready }) => ready)) counts.early += 1;
  }
}
