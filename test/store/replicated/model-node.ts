// Owns one node of the model: it follows, tries to lead, leads and crashes with the code of the store. Never decides when.

import { PUT } from '../../../src/store/batch.ts';
import { Appender, type Draft } from '../../../src/store/replicated/appender.ts';
import { LOG_START } from '../../../src/store/replicated/chain.ts';
import { Follower } from '../../../src/store/replicated/follower.ts';
import { DeposedError, UnansweredError } from '../../../src/store/replicated/log-client.ts';
import { putPlace, readPlace } from '../../../src/store/replicated/place.ts';
import { BATCH, BEAT, PART } from '../../../src/store/replicated/record.ts';
import { type Call, LOG_ID, type MemoryFollowing, MemoryLogClient } from './memory-log-client.ts';
import type { World } from './model.ts';
import { MODEL_TABLE, ModelTables, rowOf, stateAfter } from './model-tables.ts';

const FORMAT = 1;
const BATCHES_MAX = 4;
const KEY = Buffer.from('k');

/** A call under way, and which process asked for it. */
export interface Errand {
  readonly call: Call;
  readonly node: ModelNode;
  readonly life: number;
}

/** One of the machines. */
export class ModelNode {
  readonly index: number;
  readonly client: MemoryLogClient;
  tables = new ModelTables();
  /** 'moves': it does what ends by itself, or with the answer of a call. */
  role: 'follows' | 'moves' | 'leads' = 'follows';
  /** Rises with each start of its process. */
  life = 0;
  appending = false;
  following!: MemoryFollowing;
  follower!: Follower;
  private readonly world: World;
  private appender: Appender | null = null;

  constructor(world: World, index: number) {
    this.world = world;
    this.index = index;
    this.client = new MemoryLogClient(world.log, (call) => {
      world.errands.push({ call, node: this, life: this.life });
    });
    this.client.flows = false;
    this.client.lag = () => world.lag();
    if (world.options.blind === true) {
      // It reads nothing of what the log has.
      this.client.read = () => this.client.call('read', () => Buffer.alloc(0));
    }
    this.follow();
  }

  /** Reads on from what its tables have durably. */
  private follow(): void {
    const { world } = this;
    this.appender = null;
    this.appending = false;
    this.role = 'follows';
    this.tables = new ModelTables(this.tables);
    const place = readPlace(this.tables.asStore) ?? { ...LOG_START, logId: LOG_ID };
    const failed = (error: Error): void => world.wrong(`node ${this.index}: ${error.message}`);
    const events = { failed, behind: () => failed(new Error('nothing was purged')) };
    const chain = world.options.chain(place);
    this.follower = new Follower(this.tables.asStore, place, FORMAT, events, chain);
    this.following = this.client.follow(place.seq + 1, this.follower);
  }

  /** Tries to lead once. */
  async takeOver(): Promise<void> {
    const { life, follower, world } = this;
    this.role = 'moves';
    await this.following.stop();
    await follower.settled();
    if (this.life !== life) return;
    const claim = { format: FORMAT, nonce: world.nonce(), node: `n${this.index}`, version: '1' };
    try {
      const result = await world.options.lead(this.client, follower.place, claim);
      if (this.life !== life) return;
      world.ignored += follower.ignored;
      if (result.is === 'behind') return this.follow();
      world.leaders += 1;
      this.role = 'leads';
      const pause = (): Promise<void> => this.client.call('pause', () => undefined);
      this.appender = new Appender(this.client, result.place, pause, world.options.chain);
      putPlace(this.tables.asStore, { ...result.place, logId: LOG_ID });
      this.tables.seal();
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      if (this.life === life) this.follow();
    }
  }

  /** As a leader, appends some batches at once. */
  async submit(): Promise<void> {
    const { appender, life, tables, world } = this;
    if (appender === null) return;
    this.appending = true;
    const drafts: Draft[] = [];
    const made: Buffer[] = [];
    let { state } = tables;
    for (let count = 1 + world.random(BATCHES_MAX); count > 0; count -= 1) {
      world.ids += 1;
      const value = rowOf(state, world.ids);
      made.push(value);
      state = stateAfter(state, world.ids);
      this.cut(value, drafts);
      if (world.random(8) === 0) drafts.push({ kind: BEAT, parts: [] });
    }
    try {
      await appender.append(drafts);
      if (this.life !== life) return;
      for (const value of made) {
        world.confirmed.push({ writer: this.index, id: value.readUInt32LE(4) });
        tables.put(MODEL_TABLE, KEY, value);
      }
      putPlace(tables.asStore, { ...appender.place, logId: LOG_ID });
      tables.seal();
      this.appending = false;
    } catch (error) {
      if (!(error instanceof DeposedError)) throw error;
      if (this.life === life) this.follow();
    }
    world.resyncs += appender.counts.resyncs;
    appender.counts.resyncs = 0;
  }

  /** The body of a batch that puts one row, in one to four records. */
  private cut(value: Buffer, drafts: Draft[]): void {
    const body = Buffer.alloc(9 + value.length);
    body[0] = PUT;
    body[1] = MODEL_TABLE;
    body[2] = KEY.length;
    body[4] = value.length;
    KEY.copy(body, 8);
    value.copy(body, 9);
    const step = Math.ceil(body.length / (1 + this.world.random(4)));
    for (let at = 0; at < body.length; at += step) {
      const kind = at + step < body.length ? PART : BATCH;
      drafts.push({ kind, parts: [body.subarray(at, at + step)] });
    }
  }

  /** As a leader, is told that it leads no longer. */
  depose(): void {
    this.appender?.stop();
    if (!this.appending) this.follow();
  }

  /** Its process ends and begins anew, with the folder that it had, or that another node's copy has. */
  crash(folder: ModelTables): void {
    this.following.end();
    this.life += 1;
    this.tables = folder;
    this.follow();
  }
}
