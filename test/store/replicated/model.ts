// Owns the model of a replicated log under faults: three nodes that run the code of the store over a log in memory, on a
// random schedule, and what must hold behind it. Never runs a clock: the same seed gives the same schedule.

import type { tryToLead } from '../../../src/store/replicated/appender.ts';
import type { Chain, Place } from '../../../src/store/replicated/chain.ts';
import { BATCH, LEAD, readLead, readRecord } from '../../../src/store/replicated/record.ts';
import { SharedLog } from './memory-log-client.ts';
import { type Errand, ModelNode } from './model-node.ts';
import { ModelTables } from './model-tables.ts';

/** What a model is made of: the code of the store, or a broken variant of it. */
export interface ModelOptions {
  readonly chain: (place: Place) => Chain;
  readonly lead: typeof tryToLead;
  /** Whether the log refuses a record that does not lie where its writer expects. */
  readonly obeys: boolean;
  /** Whether nodes that ask what has become of their records are not told. */
  readonly blind?: boolean;
  /** Whether what counts is compared with the rule in its plainest form. */
  readonly byRule?: boolean;
}

const NODES = 3;
const STEPS = 90;
/** How many schedules go on side by side: each step of them waits for one turn of the event loop. */
const ABREAST = 16;
const ROUNDS_MAX = 2000;

/** One schedule. */
export class World {
  readonly options: ModelOptions;
  readonly log = new SharedLog();
  readonly errands: Errand[] = [];
  readonly confirmed: { readonly writer: number; readonly id: number }[] = [];
  readonly nodes: ModelNode[] = [];
  ids = 0;
  leaders = 0;
  ignored = 0;
  resyncs = 0;
  /** What does not hold; '' if all does. */
  fault = '';
  private seed: number;
  private nonces = 0;
  private calm = false;
  private readonly lossIn100: number;
  private readonly staleIn100: number;

  constructor(seed: number, options: ModelOptions) {
    this.seed = Math.imul(seed, 0x9e3779b1) ^ 0x5bf03635;
    this.options = options;
    this.log.obeys = options.obeys;
    this.lossIn100 = this.random(3) * 8;
    this.staleIn100 = this.random(3) * 15;
    for (let i = 0; i < NODES; i += 1) this.nodes.push(new ModelNode(this, i));
  }

  /** A whole number below `below`. */
  random(below: number): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.seed ^ (this.seed >>> 15), this.seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  nonce(): string {
    this.nonces += 1;
    return this.nonces.toString(16).padStart(32, '0');
  }

  lag(): number {
    return !this.calm && this.random(100) < this.staleIn100 ? 1 + this.random(6) : 0;
  }

  wrong(fault: string): void {
    if (this.fault === '') this.fault = fault;
  }

  async run(): Promise<void> {
    for (let i = 0; i < STEPS && this.fault === ''; i += 1) {
      this.step();
      await turn();
    }
    await this.settle();
    if (this.fault === '') this.check();
  }

  private step(): void {
    const node = this.nodes[this.random(NODES)] as ModelNode;
    const roll = this.random(100);
    if (roll < 40) this.moveOne();
    else if (roll < 55) node.following.deliver(1 + this.random(6));
    else if (roll < 62) node.tables.sync();
    else if (roll < 76) this.submitSomewhere();
    else if (roll < 84) {
      if (node.role === 'follows') void node.takeOver();
    } else if (roll < 94) {
      for (let i = this.random(24); i > 0; i -= 1) this.moveOne();
    } else if (roll < 96) {
      if (node.role === 'leads') node.depose();
    } else if (roll < 98) this.crash(node);
  }

  private submitSomewhere(): void {
    const from = this.random(NODES);
    for (let i = 0; i < NODES; i += 1) {
      const node = this.nodes[(from + i) % NODES] as ModelNode;
      if (node.role !== 'leads' || node.appending) continue;
      void node.submit();
      return;
    }
  }

  private crash(node: ModelNode): void {
    const kind = this.random(3);
    const other = this.nodes[this.random(NODES)] as ModelNode;
    node.crash(
      kind === 0 ? new ModelTables() : kind === 1 ? node.tables : new ModelTables(other.tables),
    );
  }

  /** Something becomes of a call: it arrives, is answered, is lost, comes late or comes again. */
  private moveOne(): void {
    const { errands } = this;
    if (errands.length === 0) return;
    const at = this.random(2) === 0 ? 0 : this.random(errands.length);
    const { call, node, life } = errands[at] as Errand;
    const isDead = node.life !== life;
    const roll = this.random(100);
    let isOver = true;
    if (call.kind === 'pause') {
      call.pass();
    } else if (isDead) {
      // What a process had sent may arrive once it is no more.
      if (!call.arrived && roll < 70) call.arrive();
    } else if (call.arrived && !call.settled) {
      if (roll < this.lossIn100) call.lose();
      else call.answer();
      // A copy of it may come later.
      isOver = roll % 4 !== 0;
    } else if (call.arrived || call.settled) {
      call.arrive();
    } else if (roll < this.lossIn100) {
      call.lose();
      isOver = roll % 2 === 0;
    } else {
      call.arrive();
      if (roll < 70) call.answer();
      else isOver = false;
    }
    if (isOver) errands.splice(at, 1);
  }

  /** The faults are over. All that is under way ends, one node leads, and all catch up with it. */
  private async settle(): Promise<void> {
    this.calm = true;
    await this.flow();
    for (const node of this.nodes) if (node.role === 'leads') node.depose();
    await this.flow();
    const [first] = this.nodes as [ModelNode];
    for (let tries = 0; first.role !== 'leads' && this.fault === ''; tries += 1) {
      if (tries > 5) this.wrong('no node can lead');
      void first.takeOver();
      await this.flow();
    }
    void first.submit();
    await this.flow();
    first.depose();
    await this.flow();
  }

  /** Lets all that is under way come to its end. */
  private async flow(): Promise<void> {
    let quiet = 0;
    for (let round = 0; quiet < 3 && this.fault === ''; round += 1) {
      if (round > ROUNDS_MAX) this.wrong('it does not come to an end');
      let moved = this.errands.length;
      for (const { call, node, life } of this.errands.splice(0)) {
        if (!call.arrived || call.settled) call.arrive();
        if (!call.settled && node.life === life) call.answer();
      }
      for (const node of this.nodes) {
        moved += node.following.deliver(1000);
        moved += node.tables.sync();
      }
      await turn();
      quiet = moved === 0 ? quiet + 1 : 0;
    }
  }

  private check(): void {
    const [first, ...others] = this.nodes as [ModelNode, ...ModelNode[]];
    const { ids } = first.tables;
    for (const node of this.nodes) {
      this.ignored += node.follower.ignored;
      if (node.tables.wrong !== '') this.wrong(`node ${node.index}: ${node.tables.wrong}`);
    }
    for (const node of others) {
      const same =
        node.tables.ids.length === ids.length && node.tables.state === first.tables.state;
      if (!same) this.wrong(`node ${node.index} has other batches than node 0`);
      const { place } = node.follower;
      if (place.seq !== this.log.last || place.digest !== first.follower.place.digest) {
        this.wrong(`node ${node.index} is at another place, or has another digest, than node 0`);
      }
    }
    const places = new Map<number, number>();
    for (const [i, id] of ids.entries()) {
      if (places.has(id)) this.wrong(`batch ${id} counts twice`);
      places.set(id, i);
    }
    const lastOf = new Array<number>(NODES).fill(-1);
    for (const { writer, id } of this.confirmed) {
      const place = places.get(id);
      if (place === undefined) this.wrong(`batch ${id} was confirmed, and is lost`);
      else if (place <= (lastOf[writer] as number)) this.wrong(`batch ${id} is out of order`);
      else lastOf[writer] = place;
    }
  }
}

/** How many batches count in a log, by the rule in its plainest form. */
function batchesByRule(log: SharedLog): number {
  let epoch = 0;
  let number = 0;
  let batches = 0;
  for (const [i, bytes] of log.records.entries()) {
    const record = bytes === null ? null : readRecord(bytes);
    if (record === null) continue;
    if (record.kind === LEAD) {
      if (readLead(record.body)?.previous !== i) continue;
      epoch = i + 1;
      number = 0;
    } else if (record.epoch === epoch && record.number === number + 1) {
      number += 1;
      if (record.kind === BATCH) batches += 1;
    }
  }
  return batches;
}

let next: Promise<void> | null = null;

/** Resolves in the next turn of the event loop: all that follows from what was done has been done then. */
function turn(): Promise<void> {
  next ??= new Promise((resolve) => {
    setImmediate(() => {
      next = null;
      resolve();
    });
  });
  return next;
}

/** What many schedules came to. */
export interface ModelResult {
  schedules: number;
  confirmed: number;
  leaders: number;
  ignored: number;
  resyncs: number;
  /** The faults that were found, each with the seed of its schedule. */
  readonly wrong: { readonly seed: number; readonly fault: string }[];
}

/** Runs the schedules of `count` seeds from `seed` on, or fewer where `wrongMax` of them have gone wrong. */
export async function runModel(
  seed: number,
  count: number,
  options: ModelOptions,
  wrongMax = 1,
): Promise<ModelResult> {
  const wrong: { seed: number; fault: string }[] = [];
  const result = { schedules: 0, confirmed: 0, leaders: 0, ignored: 0, resyncs: 0, wrong };
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < count && wrong.length < wrongMax) {
      const own = seed + begun;
      begun += 1;
      const world = new World(own, options);
      await world.run();
      if (options.byRule === true && world.fault === '') {
        const counted = world.nodes[0]?.tables.ids.length;
        if (counted !== batchesByRule(world.log))
          world.wrong('other batches count than by the rule');
      }
      result.schedules += 1;
      result.confirmed += world.confirmed.length;
      result.leaders += world.leaders;
      result.ignored += world.ignored;
      result.resyncs += world.resyncs;
      if (world.fault !== '') wrong.push({ seed: own, fault: world.fault });
    }
  };
  // Errors are a part of each schedule, and their stacks would take a quarter of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await Promise.all(Array.from({ length: ABREAST }, lane));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return result;
}
