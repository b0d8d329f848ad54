// Owns one term of leading: a broker on a store whose batches are durable once they count in the log, from its start to the
// moment that this node leads no longer. Never decides who leads.

import type { Logger } from 'pino';
import { Leadership } from '../../cluster/leadership.ts';
import { LogRoom } from '../../cluster/log-room.ts';
import type { StandbyEnd } from '../../cluster/standby.ts';
import type { Timing } from '../../cluster/timing.ts';
import { readDefinitionFiles } from '../../config/definition-files.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import { readVersion } from '../../config/version.ts';
import type { ClusterView } from '../../management/cluster/cluster-view.ts';
import { LoggedStore } from '../../store/log/logged-store.ts';
import type { OpenedStore } from '../../store/opened-store.ts';
import { Appender } from '../../store/replicated/appender.ts';
import { DeposedError, type LogClient } from '../../store/replicated/log-client.ts';
import { ReplicatedLog } from '../../store/replicated/replicated-log.ts';
import type { KeptLines } from '../../util/log/kept-lines.ts';
import { checkDefinitions } from '../definitions.ts';
import { type Lead, type RunningBroker, startOn } from '../serve.ts';
import type { LentPorts } from '../tools.ts';
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
}

/** A node that leads. */
export class Term {
  readonly leadership: Leadership;
  readonly log: ReplicatedLog;
  readonly store: LoggedStore;
  readonly room: LogRoom;
  /** The broker, once it serves. */
  broker: RunningBroker | null = null;
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
      serving();
      const error = await Promise.race([broker.failed, this.stopped]);
      if (error !== null && !(error instanceof DeposedError)) throw error;
      if (error !== null) logger.warn({ why: error.message }, 'this node leads no longer');
      await broker.close(this.stopReason ?? DEPOSED_REASON);
    } catch (error) {
      if (!(error instanceof DeposedError)) throw error;
    } finally {
      this.broker = null;
      this.room.stop();
      await this.leadership.end();
    }
  }

  private async start(): Promise<RunningBroker> {
    const { live, logger, lines, view, ports } = this.around;
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
