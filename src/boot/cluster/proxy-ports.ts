// Owns the AMQP ports of a node that does not lead, where clients are handed on to the node that does. Never reads what they
// say.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { AmqpProxy, type LeaderPort } from '../../cluster/proxy.ts';
import type { Timing } from '../../cluster/timing.ts';
import type { Settings } from '../../config/settings.ts';
import { thisMachine } from '../../server/backpressure/machine.ts';
import type { Acceptor, Listener } from '../../server/listen/listener.ts';
import { openListeners } from '../../server/listen/open-listeners.ts';
import { SocketLimit } from '../../server/listen/socket-limit.ts';
import { LineQuota } from '../../server/log/line-quota.ts';
import { TlsFiles } from '../../server/tls/files.ts';
import type { TlsPeer } from '../../server/tls/peer.ts';
import { systemClock } from '../../util/clock.ts';
import { Guard } from '../../util/guard.ts';
import { TICK_MS, TimerWheel } from '../../util/timers.ts';
import { listenAddresses } from '../from-settings.ts';

/** How often it looks whether another node leads, ms: connections to one that only hangs are cut. */
const EPOCH_MS = 250;

/** How it is noticed that another node leads. */
export interface LeadWatch {
  readonly timing: Timing;
  /** Changes when another node leads. */
  epoch(): number;
  /** Called then. */
  changed(): void;
}

/**
 * Opens the AMQP ports of a node that does not lead, where they are to be, and watches who leads; resolves with what ends both.
 * Rejects with the system's error, or with a TlsError.
 */
export async function openProxyPorts(
  settings: Settings,
  leader: () => LeaderPort | null,
  log: Logger,
  { timing, epoch, changed }: LeadWatch,
): Promise<() => void> {
  const ports = settings.clusterFollower === 'proxy' ? new ProxyPorts(settings, leader, log) : null;
  await ports?.open();
  let seen = epoch();
  const stopWatching = timing.every(EPOCH_MS, async () => {
    const now = epoch();
    if (now === seen) return;
    seen = now;
    ports?.leaderChanged();
    changed();
  });
  return () => {
    stopWatching();
    ports?.close();
  };
}

/** The ports, while they are open. */
class ProxyPorts implements Acceptor {
  readonly log: Logger;
  readonly clock = systemClock;
  readonly wheel: TimerWheel;
  readonly lines: LineQuota;
  readonly peerGuard: Guard;
  readonly socketLimit: SocketLimit;
  private readonly settings: Settings;
  private readonly proxy: AmqpProxy;
  private listeners: Listener[] = [];

  /** `leader` is asked for each connection; null: no node is known to lead. */
  constructor(settings: Settings, leader: () => LeaderPort | null, log: Logger) {
    this.settings = settings;
    this.log = log;
    this.peerGuard = new Guard(log, systemClock, () => false);
    this.wheel = new TimerWheel(systemClock, TICK_MS, (error) => {
      this.peerGuard.failed('timer', error);
    });
    this.lines = new LineQuota(log, this.wheel);
    const { socketMax } = thisMachine(null);
    this.socketLimit = new SocketLimit(settings.connectionMax, socketMax, log, systemClock);
    this.proxy = new AmqpProxy(leader, log, systemClock);
  }

  /** Opens them. Rejects with the system's error, or with a TlsError; none is open then. */
  async open(): Promise<void> {
    this.wheel.start();
    const addresses = listenAddresses(this.settings);
    const tls = new TlsFiles(this.settings, systemClock, this.log);
    if (addresses.some((each) => each.tls)) await tls.load();
    this.listeners = await openListeners(addresses, this.settings, tls.current, this);
  }

  /** Closes them, and ends all connections: their clients come again, to the node that leads then. */
  close(): void {
    for (const listener of this.listeners) {
      listener.close();
      listener.cut();
    }
    this.proxy.cutAll();
    this.lines.stop();
    this.wheel.stop();
  }

  /** Ends the connections that are handed on: another node leads now. */
  leaderChanged(): void {
    this.proxy.cutAll();
  }

  mayAccept(): boolean {
    return this.proxy.mayAccept() && this.socketLimit.allows(this.proxy.count);
  }

  accepted(socket: Socket, peer: TlsPeer | null): void {
    this.proxy.accepted(socket, peer);
  }
}
