// Owns what the HTTP API is given: the window on the broker, and facts of the process around it. Never
// reaches into the broker by any other way.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CertificateView } from '../broker/view/server-port.ts';
import type { View } from '../broker/view.ts';
import type { Clock } from '../util/clock.ts';
import type { Guard } from '../util/guard.ts';
import type { KeptLines } from '../util/log/kept-lines.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import type { AllowedPages } from './http/origins.ts';

/** A port that the process listens on, for tools that ask which ports are open. */
export interface OpenPort {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/** Facts of the process that the broker itself does not know. */
export interface ProcessFacts {
  /** When it started, by the monotonic clock. */
  readonly startedMs: number;
  readonly pid: number;
  readonly dataDir: string | null;
  /** File descriptors and sockets that may be open; Infinity where that is unknown. */
  readonly socketMax: number;
  openFiles(): Promise<number>;
  residentBytes(): number;
}

/** A setting with what holds, where it came from, and from when a change holds; see config/live/live-settings.ts. */
export interface SettingView {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
  readonly changes: string | null;
}

/** The settings of the broker. What is refused is a UserError. */
export interface SettingsPort {
  list(): readonly SettingView[];
  find(name: string): SettingView | null;
  set(name: string, text: string, user: string, atMs: number): SettingView;
  unset(name: string): SettingView;
}

/** What takes lines for the operator, such as the log. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** What the HTTP API runs with. */
export interface Context {
  readonly view: View;
  /** The cluster that the broker leads; null: it is in none. */
  readonly cluster: ClusterView | null;
  readonly clock: Clock;
  readonly log: Log;
  /** The last lines of the log. */
  readonly logLines: KeptLines;
  /** Whether one more line of this kind may be written; for lines that users cause as they like. */
  readonly admitsLine: (kind: string) => boolean;
  /** What every listener that a peer's bytes reach is under. */
  readonly guard: Guard;
  readonly facts: ProcessFacts;
  readonly bodyBytesMax: number;
  /** What every path begins with on the ports, such as `/rabbit`; '' for nothing. */
  readonly pathPrefix: string;
  /** Which pages of browsers may change something, and under which names this server is known. */
  readonly allowedPages: AllowedPages;
  /** Whether AMQP over WebSocket is taken without TLS. */
  readonly plainWebSocket: boolean;
  readonly statisticsIntervalMs: number;
  /** Whether probes need no login. */
  readonly openProbes: boolean;
  /** The listeners of HTTP itself. */
  readonly ports: () => readonly OpenPort[];
  /** The certificates that these show. */
  readonly certificates: () => readonly CertificateView[];
  readonly settings: SettingsPort;
  /** Takes a connection that brings AMQP over another transport; returns what says whether it has logged in. */
  readonly acceptAmqp: (stream: Duplex, below: IncomingMessage['socket']) => (() => boolean) | null;
  /** Copies the data folder as it is; rejects where there is none. */
  readonly backup: ((path: string) => Promise<object>) | null;
  /** Resolves after so long. */
  readonly delay: (delayMs: number) => Promise<void>;
  /** Calls `act` every so often, or whenever the time that a function says is over, until the broker stops. */
  readonly repeat: (intervalMs: number | (() => number), act: () => void) => void;
}
