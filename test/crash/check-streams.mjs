// The part of the judge that knows streams: what was read of them as a whole, after each start, and by their groups.
import { spawnOf } from './entries.mjs';
import { count, fault } from './verdict.mjs';

/** What a batch lets go of may be missed by a reader, and be there again after a kill that took the batch: offsets. */
const LET_GO = 512;

/**
 * Collects in `state.streams` what was seen of each stream, before anything is judged: `readings` of all of it, oldest first;
 * `runs`, what one connection of the group was given; `idAt`, by offset; and `placeOf`, the offset of each id.
 */
export function readStreams(state) {
  const { queues, journals } = state.history;
  for (const [name, { keeps, group }] of Object.entries(queues)) {
    if (keeps === undefined) continue;
    const readings = Object.values(journals)
      .flat()
      .filter(({ e, queue }) => e === 'reading' && queue === name)
      .map((entry) => ({ ...entry, spawn: spawnOf(state.history, entry) }))
      .sort((a, b) => a.t - b.t);
    const runs = state.runs.filter(([{ queue }]) => queue === name);
    runs.sort(([a], [b]) => a.spawn - b.spawn || a.t - b.t);
    const stream = { name, keeps, group, readings, runs, idAt: new Map(), placeOf: new Map() };
    state.streams.set(name, stream);
    for (const { messages } of readings) {
      for (const [offset, id] of messages) note(state, stream, offset, id);
    }
    for (const { offset, id } of runs.flat()) note(state, stream, offset, id);
    stream.holes = holesOf(state, stream);
  }
}

/** One message seen at an offset. */
function note(state, stream, offset, id) {
  const { name, idAt, placeOf } = stream;
  const before = idAt.get(offset);
  if (before === id) return;
  if (before !== undefined) {
    fault(state, 'I21', `offset ${offset} of ${name} was ${before}, and is ${id}`);
    return;
  }
  idAt.set(offset, id);
  const place = placeOf.get(id);
  if (place === undefined) placeOf.set(id, offset);
  else fault(state, 'I20', `${id}: at the offsets ${place} and ${offset} of ${name}`);
}

/** What went by unseen: retention took it before anything read it. */
function holesOf({ history }, { idAt }) {
  const holes = [];
  const isFirstPart = Object.keys(history.seqBase).length === 0;
  const offsets = [...idAt.keys()].sort((a, b) => a - b);
  let next = isFirstPart ? 0 : offsets[0];
  for (const offset of offsets) {
    if (offset > next) holes.push([next, offset]);
    next = offset + 1;
  }
  return holes;
}

/** A message that has to be in a stream by this rule of queues, or by none, is there. */
export function judgeInStream(state, message, queue, owed) {
  const stream = state.streams.get(queue);
  if (owed === null || stream.placeOf.has(message.id)) return;
  if (stream.holes.some((hole) => isWithin(stream, message, hole))) {
    count(state, 'gone from a stream unseen');
    return;
  }
  const text = `${message.id}: ${message.fate}, and not in ${queue}`;
  fault(state, owed === 'I1' ? 'I20' : owed, text);
}

/** Whether a message may lie there, by what lies before and behind it of its publisher. */
function isWithin({ placeOf }, { pub, seq }, [from, to]) {
  for (const [id, offset] of placeOf) {
    const [other, number] = partsOf(id);
    if (other !== pub) continue;
    if (number < seq ? offset >= to : offset < from) return false;
  }
  return true;
}

function partsOf(id) {
  const slash = id.indexOf('/');
  return [id.slice(0, slash), Number(id.slice(slash + 1))];
}

export function judgeStreams(state) {
  for (const stream of state.streams.values()) {
    for (const [id, offset] of stream.placeOf) judgeRoute(state, stream, id, offset);
    judgeReadings(state, stream);
    judgePlaces(state, stream);
  }
}

/** Nothing is there that was not sent there. */
function judgeRoute(state, { name }, id, offset) {
  const { messages, history } = state;
  const where = `${id}: at offset ${offset} of ${name}`;
  const message = messages.get(id);
  const [pub, seq] = partsOf(id);
  if (message === undefined) {
    if (seq > (history.seqBase[pub] ?? 0)) fault(state, 'I2', `${where}, never published`);
  } else if (!message.to.includes(name)) fault(state, 'I2', `${where}, never routed there`);
  else if (message.fate === 'refused') fault(state, 'I2', `${where}, refused by a nack`);
}

/** Whether retention may have taken an offset by the time of the next broker: that has less. */
function isGone({ readings }, offset, spawn) {
  const next = readings.find((reading) => reading.spawn > spawn);
  return next !== undefined && (next.messages[0]?.[0] ?? 0) + LET_GO > offset;
}

function judgeReadings(state, stream) {
  const { name, readings, runs, keeps } = stream;
  const reads = runs.flat();
  let seen = -1;
  for (const reading of readings) {
    const { messages, faults, spawn, t } = reading;
    count(state, 'a stream read as a whole');
    for (const text of faults) fault(state, 'I3', `${name}, ${text}`);
    judgeLine(state, stream, messages, spawn, 'I20');
    judgeOrder(state, stream, messages);
    // What was given to the group before this began.
    for (const read of reads) if (read.t < t && read.offset > seen) seen = read.offset;
    const last = messages.at(-1)?.[0] ?? -1;
    if (last < seen) fault(state, 'I21', `${name} ends with offset ${last}, and had ${seen}`);
    seen = Math.max(seen, last);
  }
  // As the last one was read nothing came any more.
  const last = readings.at(-1)?.messages ?? [];
  const first = last[0]?.[0] ?? 0;
  const most = Math.max(0, (last.at(-1)?.[0] ?? 0) + 1 - keeps);
  if (first > most) fault(state, 'I20', `${name} begins with offset ${first}, not up to ${most}`);
  const [{ before, messages: known } = {}] = readings;
  const old = before === true ? known : [];
  count(state, 'seen in a stream', stream.idAt.size - old.length);
  count(state, 'let go of by a stream', first - (old[0]?.[0] ?? 0));
}

/** Offsets without gaps, but for what retention took from a reader that was behind. */
function judgeLine(state, stream, messages, spawn, rule) {
  for (const [i, [offset, id]] of messages.entries()) {
    const before = messages[i - 1]?.[0] ?? offset - 1;
    if (offset === before + 1) continue;
    const text = `${id}: offset ${offset} of ${stream.name} came after ${before}`;
    if (offset <= before || !isGone(stream, offset - 1, spawn)) fault(state, rule, text);
    else count(state, 'jumps over what a stream let go of');
  }
}

/** As published, per publisher. */
function judgeOrder(state, { name }, messages) {
  const highest = new Map();
  for (const [, id] of messages) {
    const [pub, seq] = partsOf(id);
    const before = highest.get(pub) ?? 0;
    if (seq < before) fault(state, 'I20', `${id}: in ${name} after ${pub}/${before}`);
    else highest.set(pub, seq);
  }
}

/**
 * Each run of a group begins at its place. That is not behind what was settled before a barrier that has passed, whichever
 * run did that, and not ahead of what the run before had settled.
 */
function judgePlaces(state, stream) {
  const { name, group, runs, readings } = stream;
  const [first] = readings;
  const begin = first?.before === true ? first.messages.at(-1)[0] + 1 : 0;
  let sent = begin;
  for (const [i, run] of runs.entries()) {
    for (const { fault: text, id } of run) {
      if (text !== null) fault(state, 'I3', `${id} from ${name}: ${text}`);
    }
    const [{ offset, spawn, t }] = run;
    const sure = Math.max(begin, ...runs.slice(0, i).map((earlier) => sureAt(earlier, t)));
    const text = `group ${group} went on at ${offset} of ${name}`;
    if (offset < sure) fault(state, 'I22', `${text}: all below ${sure} was acked for good`);
    if (offset > sent) {
      if (isGone(stream, offset - 1, spawn)) count(state, 'jumps over what a stream let go of');
      else fault(state, 'I22', `${text}: it had acked what is below ${sent}`);
    }
    count(state, 'places that a group went on at');
    judgeLine(
      state,
      stream,
      run.map((read) => [read.offset, read.id]),
      spawn,
      'I22',
    );
    sent = placeOf(run, ({ how }) => how !== null);
  }
  const last = readings.at(-1)?.messages.at(-1)?.[0] ?? -1;
  const given = Math.max(begin - 1, ...runs.map((run) => run.at(-1).offset));
  if (group === undefined || given >= last) return;
  fault(state, 'I22', `group ${group} was given ${name} up to ${given}, which ends with ${last}`);
}

/** The offset below which all of a run is so. */
function placeOf(run, isSo) {
  const open = run.find((read) => !isSo(read));
  return open === undefined ? run.at(-1).offset + 1 : open.offset;
}

/**
 * Where a group surely was at a time, by what one run has settled. One that has settled nothing for good tells nothing: it
 * began where the run before had got to, and a kill may undo acks of that which no barrier has covered.
 */
function sureAt(run, t) {
  const isSure = ({ coveredAt, returnedAt }) => Math.min(coveredAt, returnedAt) < t;
  return isSure(run[0]) ? placeOf(run, isSure) : 0;
}
