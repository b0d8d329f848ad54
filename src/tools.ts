// Owns the wiring of what tools connect to: the HTTP API with the web UI, and the metrics. Never makes
// the broker: main.ts does.

import { readdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { View } from './broker/view.ts';
import type { ToolPort } from './config/management-settings.ts';
import { SETTINGS, type Settings } from './config/settings.ts';
import type { Context, OpenPort } from './management/context.ts';
import { listenForManagement, type ToolListener } from './management/listen.ts';
import type { ListenAddress } from './server/listener.ts';
import type { Machine } from './server/machine.ts';
import type { Server } from './server/server.ts';
import { type Clock, systemClock } from './util/clock.ts';
import { WheelTimer } from './util/timers.ts';

/** What tools connect to, while a broker runs. */
export interface Tools {
  readonly addresses: readonly ListenAddress[];
  close(): Promise<void>;
}

const SECRET_KEYS = /pass|secret|key_?file/i;
const HOST = '127.0.0.1';

/**
 * Opens the ports of tools. A port that the settings name and that is taken is an error of the system;
 * where nobody named it, the broker goes without, and says so.
 */
export async function startTools(
  server: Server,
  settings: Settings,
  machine: Machine,
  dataDir: string | null,
  version: string,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<Tools> {
  const open: { readonly key: string; readonly listener: ToolListener }[] = [];
  const timers: WheelTimer[] = [];
  const context: Context = {
    view: new View(server.broker, version, server.peers),
    clock,
    log: logger,
    facts: {
      startedMs: clock.wallMs(),
      pid: process.pid,
      dataDir,
      socketMax: machine.socketMax,
      openFiles,
      residentBytes: () => process.memoryUsage.rss(),
    },
    bodyBytesMax: settings.managementBodyBytesMax,
    statisticsIntervalMs: settings.statisticsIntervalMs,
    ports: () => open.map(({ listener }) => listener.address),
    settings: () => shownSettings(settings),
    acceptAmqp: (stream, below) => server.acceptStream(stream, below),
    backup: null,
    wait: (delayMs) =>
      new Promise((resolve) => server.wheel.schedule(new WheelTimer(resolve), delayMs)),
    every: (intervalMs, act) => {
      const timer = new WheelTimer(() => {
        server.wheel.schedule(timer, intervalMs);
        act();
      });
      timers.push(timer);
      server.wheel.schedule(timer, intervalMs);
    },
  };
  const close = async (): Promise<void> => {
    for (const timer of timers) server.wheel.cancel(timer);
    await Promise.all(open.map(({ listener }) => listener.close()));
  };
  const attempt = async (
    key: string,
    { port, chosen }: ToolPort,
    host: string | null,
    listen: (host: string, port: number) => Promise<ToolListener>,
  ): Promise<void> => {
    if (port === null) return;
    const at = host ?? settings.tcpListeners.get('default')?.host ?? HOST;
    try {
      open.push({ key, listener: await listen(at, port) });
    } catch (error) {
      if (chosen || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      logger.warn({ port, host: at }, `the port is taken: set ${key} to another one, or to none`);
    }
  };
  try {
    await attempt(
      'management.tcp',
      settings.managementPort,
      settings.managementHost,
      (host, port) => listenForManagement(context, host, port),
    );
  } catch (error) {
    await close();
    throw error;
  }
  const addressOf = (key: string, { host, port }: OpenPort): ListenAddress => ({
    key,
    host,
    port,
    tls: false,
  });
  return { addresses: open.map(({ key, listener }) => addressOf(key, listener.address)), close };
}

/** How many files this process has open; 0 where that cannot be seen. */
async function openFiles(): Promise<number> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return 0;
  }
}

/** The settings in force by their keys, as a file would have them, secrets left out. */
function shownSettings(settings: Settings): Record<string, string> {
  const rows = Object.entries(SETTINGS).map(([field, row]): [string, string] => {
    const value = settings[field as keyof Settings];
    const shown = (row.show as (value: unknown) => string)(value);
    return [row.key, SECRET_KEYS.test(row.key) ? '***' : shown];
  });
  return Object.fromEntries(rows);
}
