// Owns taking one vhost out of another store into a broker that runs: all of it, or nothing. Never decides which vhost, and
// never changes the store that it comes from.

import { Batch } from '../../store/batch.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import { refuseNewer } from '../../store/format.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_ARRIVALS } from '../../store/tables.ts';
import type { Broker } from '../broker.ts';
import { ArrivalSweep, type ArrivingIds, arrivalRow } from '../core/arrivals.ts';
import type { BrokerCore } from '../core/core.ts';
import { HeldQueues } from '../core/held-queues.ts';
import { Refusal } from '../errors.ts';
import { PREDECLARED_EXCHANGES } from '../exchange/predeclared.ts';
import { LAYERS } from '../policy/policy.ts';
import { recoveringVhost } from '../recovery/recover-vhost.ts';
import type { SetAsideMessage } from '../set-aside/set-aside-rows.ts';
import { correctionIn } from '../turn/broker-time.ts';
import type { Steps } from '../turn/slices.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { act, requireRunning } from './act.ts';
import { hasDefinitions, moveDefinitions, moveSetAside } from './move-definitions.ts';
import { moveRows, moveSegments } from './move-rows.ts';
import type { Mover } from './mover.ts';
import { Survey } from './survey.ts';
import { Transfer } from './transfer.ts';

const GATHERED_BYTES_MAX = 4 * 1024 * 1024;

/** Clocks that are apart by less count as the same: messages would need a note each of when they came. */
const APART_MS_MIN = 250;

/** What is known beside the store that a vhost comes from. */
export interface TakeOptions {
  /**
   * The time that the queues there live by, now, ms; null: both brokers have gone by the same time of day, and their stores say
   * by how much less.
   */
  readonly timeThereMs?: number | null;
  /** So many bytes of rows are put before the batch that has them is waited for; a test says fewer. */
  readonly gatheredBytesMax?: number;
}

/** The vhosts that are on their way. */
const underWay = new WeakSet<Vhost>();

/**
 * Takes the vhost of that name out of a store, such as a snapshot of another broker's, into the store and the memory of this
 * one: definitions, messages in their places, what waits, keys, streams, what is set aside. Segments of the log and ids of
 * queues get numbers of this broker; times are moved by how far the times of the two brokers are apart.
 *
 * `vhost` is one of this broker's, and empty: it has the predeclared exchanges alone. Until the promise resolves nothing
 * must act in it, nor delete it. Clients of other vhosts are served meanwhile. `from` is only read; a folder is opened for that by
 * `openStore({ dataDir, memory: false, lookedAt: true, withoutLog: true, ... })`, and closed by `closeStore(opened, false)`.
 *
 * Resolves once all of it is durable and loaded. Rejects with a Refusal or a StoreError that names what is wrong: the vhost is not
 * empty, the store is of a newer format, or one of its rows cannot be read. Then nothing of it is left here. Where the
 * broker ends before, the next start finds all of it, or removes what came.
 */
export async function takeVhost(
  broker: Broker,
  vhost: Vhost,
  from: Store,
  options: TakeOptions = {},
): Promise<void> {
  requireEmpty(broker, vhost);
  refuseNewer(from, `what vhost '${vhost.name}' comes from`);
  underWay.add(vhost);
  try {
    await new Arrival(broker, vhost, from, options).run();
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    throw new Refusal('invalid', `vhost '${vhost.name}' cannot be moved: ${error.message}`);
  } finally {
    underWay.delete(vhost);
  }
}

/** Whether there is anything in a vhost beside the predeclared exchanges. */
export function hasContents(broker: Broker, vhost: Vhost): boolean {
  const { name, queues, exchanges, policies, parameters, schedules } = vhost;
  const empty =
    queues.size === 0 &&
    exchanges.size === PREDECLARED_EXCHANGES.length &&
    LAYERS.every((layer) => policies.list(layer).length === 0) &&
    parameters.list().length === 0 &&
    !schedules.any &&
    broker.core.setAside.countIn(name) === 0 &&
    !hasDefinitions(broker.core.store, name);
  return !empty;
}

function requireEmpty(broker: Broker, vhost: Vhost): void {
  const { name } = vhost;
  if (hasContents(broker, vhost)) throw new Refusal('in-use', `vhost '${name}' is not empty`);
  if (underWay.has(vhost)) throw new Refusal('in-use', `vhost '${name}' is on its way already`);
}

/** One vhost on its way into a broker. */
class Arrival {
  private readonly broker: Broker;
  private readonly core: BrokerCore;
  private readonly vhost: Vhost;
  private readonly from: Store;
  private readonly survey: Survey;
  /** Bytes of rows that were put since the last wait. */
  private bytes = 0;
  private readonly gatheredBytesMax: number;

  constructor(
    broker: Broker,
    vhost: Vhost,
    from: Store,
    { timeThereMs = null, gatheredBytesMax = GATHERED_BYTES_MAX }: TakeOptions,
  ) {
    const { core } = broker;
    this.gatheredBytesMax = gatheredBytesMax;
    this.broker = broker;
    this.core = core;
    this.vhost = vhost;
    this.from = from;
    const nowMs = core.time.now();
    const thereMs = timeThereMs ?? core.time.wallOf(nowMs) - correctionIn(from);
    const apartMs = nowMs - Math.round(thereMs);
    this.survey = new Survey(from, vhost.name, Math.abs(apartMs) < APART_MS_MIN ? 0 : apartMs);
  }

  /*
   *   look        all rows of the vhost are read: nothing was changed where one cannot be
   *   note        these ids are on their way: from here on a start removes what there is of them
   *   copy        rows and segments, in batches that are waited for
   *   definitions in one batch, which takes the note away: from here on a start finds the vhost
   *   load        as a start does
   */
  async run(): Promise<void> {
    const { core, survey, from, vhost } = this;
    await act(core, survey.looking());
    this.requireGoing();
    const { ids, segments } = this.takeNumbers();
    const put = (table: number, key: Buffer, value: Buffer): void => {
      core.store.put(table, key, value);
      this.bytes += key.length + value.length;
    };
    const note = arrivalRow(ids);
    put(TABLE_ARRIVALS, note.key, note.value);
    await core.untilDurable();
    const last = new Batch();
    const aside: SetAsideMessage[] = [];
    try {
      await this.copy(this.transfer(ids, segments, put), segments, put);
      const to = this.transfer(ids, segments, (...row) => last.put(...row));
      await act(core, moveDefinitions(from, vhost.name, to));
      await act(
        core,
        moveSetAside(from, vhost.name, to, (each) => aside.push(each)),
      );
      this.requireGoing();
    } catch (error) {
      if (!core.stopping) await this.takeBack(ids, segments);
      throw error;
    }
    last.remove(TABLE_ARRIVALS, note.key);
    last.putInto(core.store);
    core.definitionChanged();
    await core.untilDurable();
    await this.load(aside);
    await act(core, this.settling(segments));
  }

  /** The ids that its queues get, and by how much higher numbers its segments. */
  private takeNumbers(): { ids: ArrivingIds; segments: number } {
    const { core, survey } = this;
    const { firstSegment, segmentsEnd, owners } = survey;
    const first = core.queueIds.takeSome(owners.size);
    const segments = segmentsEnd === 0 ? 0 : core.log.makeRoom(firstSegment, segmentsEnd);
    if (first >= 0 && segments >= 0) return { ids: { first, end: first + owners.size }, segments };
    const what = first < 0 ? 'ids of queues' : 'numbers of segments';
    throw new Refusal(
      'invalid',
      `there are not enough ${what} left for vhost '${this.vhost.name}'`,
    );
  }

  private transfer({ first }: ArrivingIds, segments: number, put: Mover['put']): Transfer {
    return new Transfer(this.survey, first, segments, () => this.core.setAside.takeId(), put);
  }

  /** Puts rows and segments, a bounded part at a time, and waits until each is durable. */
  private async copy(to: Transfer, segments: number, put: Mover['put']): Promise<void> {
    const { core, from, survey } = this;
    const rows = (function* (): Steps {
      yield* moveRows(from, survey.owners.values(), to);
      yield* moveSegments(from, survey.needed, segments, core.log, put);
    })();
    for (let over = false; !over; ) {
      await act(
        core,
        this.part(rows, () => {
          over = true;
        }),
      );
      await core.untilDurable();
      this.requireGoing();
    }
  }

  private *part(rows: Steps, over: () => void): Steps {
    for (this.bytes = 0; this.bytes < this.gatheredBytesMax; ) {
      if (rows.next().done === true) return over();
      yield;
    }
  }

  /** Throws where it is for nothing: the broker stops, or the vhost is deleted. */
  private requireGoing(): void {
    const { broker, core, vhost } = this;
    requireRunning(core);
    if (broker.vhosts.get(vhost.name) !== vhost) {
      throw new Refusal('not-found', `vhost '${vhost.name}' was deleted before it arrived`);
    }
  }

  /** Removes what came; all of it is durable by then. */
  private async takeBack(ids: ArrivingIds, segments: number): Promise<void> {
    const { core } = this;
    await core.untilDurable();
    await act(core, this.settling(segments));
    const sweep = new ArrivalSweep(core.store, ids, () => false);
    core.sweeps.goOn(sweep);
    while (!sweep.done && !core.stopping) await core.untilDurable();
    await core.untilDurable();
  }

  /** Has the log look at the segments that came: what refers to them is known. */
  private *settling(segments: number): Steps {
    for (const id of this.survey.needed) {
      this.core.log.arriving.settle(id + segments);
      yield;
    }
  }

  /**
   * Reads it into memory, in turns: what fails there ends the broker, and the next start reads it. Its queues do nothing before
   * all are there: a dead letter would find no queue.
   */
  private load(aside: readonly SetAsideMessage[]): Promise<void> {
    const { slices } = this.core;
    return new Promise((resolve) => {
      slices.later(() => slices.begin(this.loading(aside), resolve));
    });
  }

  private *loading(aside: readonly SetAsideMessage[]): Steps {
    const { broker, core, vhost } = this;
    const held = new HeldQueues();
    const steps = recoveringVhost(broker, vhost);
    for (let over = false; !over; ) {
      core.line.begin();
      core.held = held;
      over = steps.next().done === true;
      core.held = null;
      core.line.end();
      yield;
    }
    for (const message of aside) {
      core.setAside.arrived(message);
      yield;
    }
    vhost.router.topologyChanged();
    yield* held.releasing(core);
    vhost.schedules.recover();
  }
}
