// Owns which certificates the ports of tools show: their own, or those of AMQP. Never reads them: server/tls does.

import type { Settings } from '../config/settings.ts';
import type { TlsNames, TlsSettings } from '../server/tls/context.ts';

/** Which tool a port is of, as its settings are called. */
export type ToolName = 'management' | 'prometheus';

/** The files of TLS for a tool, which never asks clients for certificates. */
export function tlsSettings(tool: ToolName, settings: Settings): TlsSettings {
  const own = settings[`${tool}SslCertfile`] !== null && {
    sslCertfile: settings[`${tool}SslCertfile`],
    sslKeyfile: settings[`${tool}SslKeyfile`],
    sslCacertfile: settings[`${tool}SslCacertfile`],
    sslPassword: settings[`${tool}SslPassword`],
  };
  return { ...settings, ...own, sslVerify: 'verify_none' };
}

/** How errors name these files. */
export function tlsNames(tool: ToolName, settings: Settings): TlsNames {
  const own = settings[`${tool}SslCertfile`] !== null || settings.sslCertfile === null;
  return {
    need: `there is a port for HTTPS (${tool}.ssl.port)`,
    section: own ? `${tool}.ssl` : 'ssl_options',
  };
}
