// Owns a node of a cluster from its start to its stop: it stands by, leads, and stands by again. Never knows how the log is
// reached: a LogClient does.

import type { Logger } from 'pino';
import { Leadership } from '../cluster/leadership.ts';
import { Standby, type StandbyEnd, type StandbySettings } from '../cluster/standby.ts';
import { Timing } from '../cluster/timing.ts';
import { readDefinitionFiles } from '../config/definition-files.ts';
import type { LiveSettings } from '../config/live/live-settings.ts';
import { readVersion } from '../config/version.ts';
import type { ListenAddress } from '../server/listen/listener.ts';
import { StoreError } from '../store/errors.ts';
import { FORMAT_VERSION, isNew } from '../store/format.ts';
import { LoggedStore } from '../store/log/logged-store.ts';
import { closeStore, type OpenedStore, openStore } from '../store/opened-store.ts';
import { Appender } from '../store/replicated/appender.ts';
import { LOG_START } from '../store/replicated/chain.ts';
import { DeposedError, type LogClient } from '../store/replicated/log-client.ts';
import { type LogPlace, readPlace } from '../store/replicated/place.ts';
import { ReplicatedLog } from '../store/replicated/replicated-log.ts';
import { systemClock } from '../util/clock.ts';
import { KeptLines } from '../util/log/kept-lines.ts';
import { keptLogger } from '../util/log/safe-logger.ts';
import { checkDefinitions } from './definitions.ts';
import { type Lead, type RunningBroker, startOn } from './serve.ts';

/** What is durable in the log goes into the tables once it is so much, bytes, or after a while. */
const APPLY_BYTES = 4 * 2 ** 20;

/** What clients are told when the broker that they use leads no longer. */
const DEPOSED_REASON = 'another node leads';

/** A node of a cluster. Made by `startMember`. */
class Member implements RunningBroker {
  readonly firstUser = null;
  readonly standsBy = true;
  readonly failed: Promise<Error>;
  private readonly live: LiveSettings;
  private readonly client: LogClient;
  private readonly logger: Logger;
  private readonly lines: KeptLines;
  private readonly standbySettings: StandbySettings;
  private readonly timing: Timing;
  private fail: (error: Error) => void = () => {};
  private readonly ran: Promise<void>;
  private standby: Standby | null = null;
  private broker: RunningBroker | null = null;
  private stopReason: string | null = null;
  private stopAsked: () => void = () => {};
  /** Resolves once this node leads for the first time, or follows what the log has. */
  readonly begun: Promise<void>;
  private beginningEnded: () => void = () => {};

  constructor(live: LiveSettings, client: LogClient, given: Logger) {
    this.live = live;
    this.client = client;
    this.lines = new KeptLines(systemClock);
    this.logger = keptLogger(given, this.lines);
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
    this.begun = new Promise((resolve) => {
      this.beginningEnded = resolve;
    });
    const { clusterNode, clusterLeaseMs, clusterRenewMs } = live.settings;
    this.standbySettings = {
      node: clusterNode as string,
      version: readVersion(),
      format: FORMAT_VERSION,
      leaseMs: clusterLeaseMs,
      renewMs: clusterRenewMs,
    };
    this.timing = new Timing(systemClock, (error) => this.fail(error as Error));
    this.ran = this.run().catch((error: unknown) => this.fail(error as Error));
  }

  get addresses(): readonly ListenAddress[] {
    return this.broker?.addresses ?? [];
  }

  renewTls(): void {
    this.broker?.renewTls();
  }

  async close(reason: string): Promise<void> {
    this.stopReason = reason;
    this.stopAsked();
    this.standby?.stop();
    await this.ran;
    this.timing.stop();
    await this.client.close();
  }

  private get stopping(): boolean {
    return this.stopReason !== null;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const opened = await this.open();
      let end: StandbyEnd;
      let place: LogPlace;
      try {
        place = await this.placeOf(opened);
        end = await this.standBy(opened, place);
      } catch (error) {
        await closeStore(opened, false);
        throw error;
      }
      if (end.is === 'leads') await this.lead(opened, place.logId, end);
      else await closeStore(opened, false);
      if (end.is === 'behind') throw this.noSnapshot(end.first);
    }
  }

  private async open(): Promise<OpenedStore> {
    const { settings } = this.live;
    const opened = await openStore({ ...settings, replicated: true }, readVersion());
    for (const warning of opened.folder?.warnings ?? []) this.logger.warn(warning);
    return opened;
  }

  /** Where the tables are in the log. Rejects with a StoreError where they are not of it. */
  private async placeOf({ store, folder }: OpenedStore): Promise<LogPlace> {
    const { id } = await this.client.state();
    const place = readPlace(store);
    const where = folder?.path ?? 'memory';
    if (place === null) {
      if (isNew(store)) return { ...LOG_START, logId: id };
      throw new StoreError(
        `${where} holds the data of a broker that was in no cluster`,
        'begin a log with it (leveret cluster new-log), or name an empty folder',
      );
    }
    if (place.logId === id) return place;
    throw new StoreError(
      `${where} follows another log than the one of cluster ${this.live.settings.clusterName}`,
      'name the folder of this cluster, or an empty one, which is filled from the log',
    );
  }

  private noSnapshot(first: number): StoreError {
    return new StoreError(
      `the log begins at record ${first}, and this node has not got that far`,
      'start a node that has a snapshot, or bring its folder here by leveret backup',
    );
  }

  private async standBy({ store }: OpenedStore, place: LogPlace): Promise<StandbyEnd> {
    const standby = new Standby(store, place, this.client, this.standbySettings, this.timing);
    this.standby = standby;
    if (this.stopping) standby.stop();
    this.logger.info({ record: place.seq, epoch: place.epoch }, 'following the log');
    this.beginningEnded();
    const end = await standby.run();
    this.standby = null;
    return end;
  }

  private async lead(
    opened: OpenedStore,
    logId: string,
    { place, lease }: StandbyEnd & { is: 'leads' },
  ): Promise<void> {
    const { client, live, logger, lines, timing } = this;
    logger.info({ epoch: place.epoch }, 'this node leads');
    const appender = new Appender(client, place, timing.pause);
    const nowMs = (): number => timing.clock.monotonicMs();
    const log = new ReplicatedLog(appender, lease, logId, client.recordBytesMax, nowMs);
    const noBackup = () => Promise.resolve();
    const store = new LoggedStore(opened.store, log, 0, log, noBackup, { applyBytes: APPLY_BYTES });
    const leadership = new Leadership(lease, log, this.standbySettings, timing);
    const { settings } = live;
    const sure = leadOf(leadership);
    try {
      const definitions = await readDefinitionFiles(settings.loadDefinitions);
      checkDefinitions(definitions, settings);
      const broker = await startOn({
        live,
        settings,
        logger,
        lines,
        version: readVersion(),
        definitions,
        opened: { ...opened, store },
        embedding: null,
        lead: sure,
      });
      this.broker = broker;
      for (const { key, host, port, tls } of broker.addresses) {
        logger.info({ listener: key, host, port, tls }, 'listening');
      }
      const stop = new Promise<null>((resolve) => {
        this.stopAsked = () => resolve(null);
        if (this.stopping) resolve(null);
      });
      const error = await Promise.race([broker.failed, stop]);
      if (error !== null && !(error instanceof DeposedError)) throw error;
      if (error !== null) logger.warn({ why: error.message }, 'this node leads no longer');
      await broker.close(this.stopReason ?? DEPOSED_REASON);
    } catch (error) {
      if (!(error instanceof DeposedError)) throw error;
    } finally {
      this.broker = null;
      await leadership.end();
    }
  }
}

/** The lead as a broker sees it. */
function leadOf({ lease }: Leadership): Lead {
  let tell = (): void => {};
  let waiting = false;
  return {
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
  };
}

/**
 * Starts a node of a cluster on a log; resolves once it follows. Rejects where it cannot; nothing is left open then, but the
 * client, which is closed with the node.
 */
export async function startMember(
  live: LiveSettings,
  client: LogClient,
  logger: Logger,
): Promise<RunningBroker> {
  const member = new Member(live, client, logger);
  const failed = member.failed.then((error) => {
    throw error;
  });
  await Promise.race([member.begun, failed]);
  return member;
}
