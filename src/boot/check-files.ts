// Owns trying the files that settings name as a start would: certificates, keys and definitions. Never starts anything.

import { readDefinitionFiles } from '../config/definition-files.ts';
import type { Settings } from '../config/settings.ts';
import { systemClock } from '../util/clock.ts';
import { checkDefinitions } from './definitions.ts';
import { tlsNames, tlsSettings } from './tool-tls.ts';

/** The errors that a start with these settings would end with for the files that they name. */
export async function faultsOfFiles(settings: Settings): Promise<readonly unknown[]> {
  const { readTlsContext } = await import('../server/tls/context.ts');
  const nowMs = systemClock.wallMs();
  const tries: (() => unknown)[] = [
    async () => checkDefinitions(await readDefinitionFiles(settings.loadDefinitions), settings),
  ];
  if (settings.sslListeners.size > 0) tries.push(() => readTlsContext(settings, nowMs));
  for (const tool of ['management', 'prometheus'] as const) {
    if (settings[`${tool}SslPort`] === null) continue;
    tries.push(() => readTlsContext(tlsSettings(tool, settings), nowMs, tlsNames(tool, settings)));
  }
  const faults: unknown[] = [];
  for (const attempt of tries) {
    try {
      await attempt();
    } catch (error) {
      faults.push(error);
    }
  }
  return faults;
}
