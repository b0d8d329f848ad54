// Owns one term of leading: a broker on a store whose batches are durable once they count in the log, from its start to the
// moment that this node leads no longer. Never decides who leads.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Neighbours } from '../../cluster/groups/neighbours.ts';
import { Leadership } from '../../cluster/leadership.ts';
import { LogRoom } from '../../cluster/log-room.ts';
import type { PeerClient } from '../../cluster/peers/peer-client.ts';
import type { StandbyEnd } from '../../cluster/standby.ts';
import type { Timing } from '../../cluster/timing.ts';
import { readDefinitionFiles } from '../../config/definition-files.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import { readVersion } from '../../config/version.ts';
import type { ClusterView } from '../../management/cluster/cluster-view.ts';
import type { Server } from '../../server/server.ts';
import { StoreError } from '../../store/errors.ts';
import { LoggedStore } from '../../store/log/logged-store.ts';
import type { OpenedStore } from '../../store/opened-store.ts';
import { Appender } from '../../store/replicated/appender.ts';
import { DeposedError, type LogClient } from '../../store/replicated/log-client.ts';
import { ReplicatedLog } from '../../store/replicated/replicated-log.ts';
import type { KeptLines } from '../../util/log/kept-lines.ts';
import { type ProxiedPeer, writeProxyLine } from '../../util/proxy/proxy-line.ts';
import { checkDefinitions } from '../definitions.ts';
import { type Lead, type RunningBroker, startOn } from '../serve.ts';
import type { LentPorts } from '../tools.ts';
import type { GroupAround } from './groups/group-around.ts';
import { GroupTerm } from './groups/group-term.ts';
import { withoutPlace } from './without-place.ts';

/** What is durable in the log goes into the tables once it is so much, bytes, or after a while. */
const APPLY_BYTES = 4 * 2 ** 20;

/** What clients are told when the broker that they use leads no longer. */
const DEPOSED_REASON = 'another node leads';

/** What a term needs of the node. */
export interface TermAround {
  readonly live: LiveSettings;
  readonly client: LogClient;
  readonly logger: Logger;
  readonly lines: KeptLines;
  readonly timing: Timing;
  readonly lease: { readonly leaseMs: number; readonly renewMs: number };
  readonly logId: string;
  /** What tools see of the cluster. */
  readonly view: ClusterView;
  /** The ports of tools, which are open. */
  readonly ports: LentPorts;
  /** The time that queues lived by under other leaders, now, ms; null: it is not known. */
  timeMs(): number | null;
  readonly neighbours: Neighbours;
  /** The way to the node that leads another group; null: none is known to. */
  leaderOf(group: string): PeerClient | null;
  /** Makes a checked snapshot of the tables; resolves with the record up to which it is. Rejects with a StoreError. */
  snapshot(): Promise<number>;
}

/** A node that leads. */
export class Term {
  readonly leadership: Leadership;
  readonly log: ReplicatedLog;
  readonly store: LoggedStore;
  readonly room: LogRoom;
  /** The broker, once it serves. */
  broker: RunningBroker | null = null;
  /** What it does because there are groups of vhosts, while it serves. */
  groups: GroupTerm | null = null;
  private readonly around: TermAround;
  private readonly opened: OpenedStore;
  private stopReason: string | null = null;
  private readonly stopped: Promise<null>;
  private tellStopped: () => void = () => {};

  constructor(
    around: TermAround,
    opened: OpenedStore,
    { place, lease }: Extract<StandbyEnd, { is: 'leads' }>,
  ) {
    const { client, timing, logId } = around;
    this.around = around;
    const appender = new Appender(client, place, timing.pause);
    const nowMs = (): number => timing.clock.monotonicMs();
    const room = new LogRoom(client, timing);
    this.room = room;
    const leading = {
      whenSure: (then: () => void) => lease.whenSure(then),
      whenRoom: (bytes: number, then: () => void) => room.take(bytes, then),
    };
    const log = new ReplicatedLog(appender, leading, logId, client.recordBytesMax, nowMs);
    this.log = log;
    const options = { applyBytes: APPLY_BYTES };
    this.store = new LoggedStore(opened.store, log, 0, log, withoutPlace, options);
    this.opened = { ...opened, store: this.store };
    this.leadership = new Leadership(lease, log, around.lease, timing);
    this.stopped = new Promise((resolve) => {
      this.tellStopped = () => resolve(null);
    });
  }

  /** See GroupTerm; false: it does not serve yet. */
  followMain(): boolean {
    this.groups?.followMain();
    return this.groups !== null;
  }

  /** Steps down: clients are told `reason`, and all that they were promised is kept. */
  stop(reason: string): void {
    this.stopReason = reason;
    this.tellStopped();
  }

  /**
   * Serves until the lead ends; the store is closed then. `serving` is called once clients can come. Rejects where the broker
   * can go on no longer, which other node may lead.
   */
  async run(serving: () => void): Promise<void> {
    const { logger } = this.around;
    try {
      const broker = await this.start();
      this.broker = broker;
      const broken = new Promise<Error>((resolve) => {
        this.groups = new GroupTerm(this.groupAround(broker), (error) => resolve(error as Error));
      });
      serving();
      const error = await Promise.race([broker.failed, broken, this.stopped]);
      this.groups?.stop();
      if (error !== null && !(error instanceof DeposedError)) throw error;
      if (error !== null) logger.warn({ why: error.message }, 'this node leads no longer');
      await broker.close(this.stopReason ?? DEPOSED_REASON);
    } catch (error) {
      if (!(error instanceof DeposedError)) throw error;
    } finally {
      this.groups?.stop();
      this.groups = null;
      this.broker = null;
      this.room.stop();
      await this.leadership.end();
    }
  }

  private groupAround({ server }: RunningBroker): GroupAround {
    const { live, logger, logId, neighbours, timing } = this.around;
    const { broker, view } = server as Server;
    const { lease } = this.leadership;
    const { epoch } = this.log.place;
    const { clusterGroup: group, dataDir } = live.settings;
    return {
      ...{ broker, group, logId, epoch, dataDir, timing, logger },
      get sure() {
        return lease.sure;
      },
      durable: async () => {
        const { definitionsBatch, durableBatch } = broker.core;
        if (definitionsBatch > durableBatch) await view.durable(definitionsBatch);
      },
      snapshot: () => this.snapshotOfAll(),
      leaderOf: (other) => this.around.leaderOf(other),
      timeOf: (other) => neighbours.timeOf(other),
      isLed: (other) => other === group || neighbours.leaderOf(other) !== null,
    };
  }

  private async openAs(group: string, client: ProxiedPeer): Promise<Socket> {
    const node = this.around.leaderOf(group);
    const line = writeProxyLine(client);
    if (node === null || line === null) {
      throw new StoreError(`no node is known to lead the group ${group}`, 'try again');
    }
    const socket = await node.open('amqp');
    socket.write(line);
    return socket;
  }

  /** A snapshot that was under way already may be without what is durable now. */
  private async snapshotOfAll(): Promise<number> {
    const { seq } = this.log.place;
    for (;;) {
      const record = await this.around.snapshot();
      if (record >= seq) return record;
    }
  }

  private async start(): Promise<RunningBroker> {
    const { live, logger, lines, view, ports, neighbours } = this.around;
    const { settings } = live;
    const definitions = await readDefinitionFiles(settings.loadDefinitions);
    checkDefinitions(definitions, settings);
    return startOn({
      live,
      settings,
      logger,
      lines,
      version: readVersion(),
      definitions,
      opened: this.opened,
      embedding: null,
      lead: leadOf(this.leadership, this.room, this.around.timeMs()),
      cluster: view,
      groups: {
        own: settings.clusterGroup,
        addressOf: (group) => neighbours.leaderOf(group)?.amqp ?? null,
        get others() {
          return neighbours.all.some(({ group }) => group !== settings.clusterGroup);
        },
        open: (group, client) => this.openAs(group, client),
      },
      ports,
    });
  }
}

/** The lead as a broker sees it. */
function leadOf({ lease }: Leadership, logSpace: LogRoom, timeMs: number | null): Lead {
  let tell = (): void => {};
  let waiting = false;
  return {
    logSpace,
    get sure() {
      if (lease.sure) return true;
      if (!waiting) {
        waiting = true;
        lease.whenSure(() => {
          waiting = false;
          tell();
        });
      }
      return false;
    },
    onSure: (listener) => {
      tell = listener;
    },
    timeMs,
  };
}
