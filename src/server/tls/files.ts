// Owns the files of TLS in use: reading them at the start and again when asked. Never listens.

import type { Logger } from 'pino';
import type { CertificateView } from '../../broker/view/server-port.ts';
import type { Clock } from '../../util/clock.ts';
import type { TlsContext, TlsNames, TlsSettings } from './context.ts';

type ReadContext = typeof import('./context.ts').readTlsContext;

/** What the files of TLS hold. */
export class TlsFiles {
  /** Null while no listener needs them. */
  current: TlsContext | null = null;
  private read: ReadContext | null = null;
  private readonly settings: TlsSettings;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly names: TlsNames | undefined;

  /** `names` is what messages call the settings, unless these are `ssl_options`. */
  constructor(settings: TlsSettings, clock: Clock, log: Logger, names?: TlsNames) {
    this.settings = settings;
    this.clock = clock;
    this.log = log;
    this.names = names;
  }

  /** Reads them for the first time. Rejects with a TlsError. */
  async load(): Promise<void> {
    this.read = (await import('./context.ts')).readTlsContext;
    this.current = this.readNow(this.read);
  }

  /** The certificate as those of these addresses that speak TLS show it. */
  shownAt(
    addresses: readonly { readonly port: number; readonly tls: boolean }[],
  ): readonly CertificateView[] {
    if (this.current === null) return [];
    const { subject, validTo } = this.current.certificate;
    return addresses
      .filter(({ tls }) => tls)
      .map(({ port }) => ({ port, subject, expiresMs: Date.parse(validTo) }));
  }

  /** Reads them again; null when no listener needs them, or when they are no good, which is logged. */
  renew(): TlsContext | null {
    if (this.read === null) return null;
    try {
      this.current = this.readNow(this.read);
      return this.current;
    } catch (error) {
      this.log.error({ err: error }, 'certificates not read again: those before stay in use');
      return null;
    }
  }

  private readNow(read: ReadContext): TlsContext {
    const context = read(this.settings, this.clock.wallMs(), this.names);
    for (const warning of context.warnings) this.log.warn(warning);
    return context;
  }
}
