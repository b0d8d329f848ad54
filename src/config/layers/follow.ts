// Owns what follows from settings beside one another, and from the machine, once all layers are laid. Never reads a
// text.

import { applyClusterRules } from '../cluster/cluster-rules.ts';
import type { Listeners } from '../map-setting.ts';
import { EVERYWHERE } from '../setting.ts';
import type { Settings } from '../settings.ts';
import type { Draft } from './draft.ts';

/**
 * Sets what follows, and refuses what does not go together. `inContainer` is what the machine looks like; the settings
 * may say otherwise. `complete`: all layers of a start are there.
 */
export function applyConsequences(draft: Draft, inContainer: boolean, complete: boolean): void {
  applyClusterRules(draft, complete);
  // As in RabbitMQ: a port of the HTTP API with TLS takes the place of the other, unless that is asked for too.
  const [secure] = draft.origins.get('managementSslPort') ?? [];
  const isSecure = draft.settings.managementSslPort !== null;
  if (secure !== undefined && isSecure && !draft.origins.has('managementPort'))
    draft.follow('managementPort', null, secure);
  const { inContainer: said } = draft.settings;
  if (said === 'false' || (said === 'auto' && !inContainer)) return;
  for (const field of ['tcpListeners', 'sslListeners'] as const) everywhere(draft, field);
}

/** Nothing outside reaches the loopback of a container: a port alone is heard on every interface there. */
function everywhere(draft: Draft, field: 'tcpListeners' | 'sslListeners'): void {
  const asked = draft.told.some(
    ({ meaning, text }) =>
      meaning.is === 'setting' && meaning.field === field && /localhost/i.test(text),
  );
  if (asked) return;
  const listeners: Listeners = draft.settings[field];
  const changed = [...listeners].map(([name, address]): [string, typeof address] => [
    name,
    address.host === 'localhost' ? { ...address, host: EVERYWHERE } : address,
  ]);
  if (changed.every(([name, { host }]) => listeners.get(name)?.host === host)) return;
  draft.follow(field, new Map(changed) as Settings[typeof field], { from: 'container' });
}
