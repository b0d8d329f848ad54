// Owns what the settings come to for the parts of a broker: its first user, and where it listens. Never reads them.

import type { Listeners } from '../config/map-setting.ts';
import type { Settings } from '../config/settings.ts';
import type { ListenAddress } from '../server/listen/listener.ts';

/** What a first start makes, and which users may log in only from this machine. */
export function accessSettings(settings: Settings) {
  return {
    user: settings.defaultUser as string | null,
    password: settings.defaultPass,
    vhost: settings.defaultVhost,
    tags: settings.defaultUserTags,
    permission: {
      configure: settings.defaultConfigure,
      write: settings.defaultWrite,
      read: settings.defaultRead,
    },
    loopbackUsers: settings.loopbackUsers,
  };
}

/** Where the settings say to listen. */
export function listenAddresses({ tcpListeners, sslListeners }: Settings): ListenAddress[] {
  const of = (kind: string, all: Listeners, tls: boolean): ListenAddress[] =>
    [...all].map(([name, address]) => ({ key: `listeners.${kind}.${name}`, ...address, tls }));
  return [...of('tcp', tcpListeners, false), ...of('ssl', sslListeners, true)];
}
