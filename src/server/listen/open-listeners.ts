// Owns opening the listening sockets of a broker, all of them or none. Never accepts anything: each
// listener does.

import type { TlsContext } from '../tls/context.ts';
import { type Acceptor, type ListenAddress, Listener, type ListenerSettings } from './listener.ts';
import { listenAt } from './loopback.ts';

/** Opens them in order; rejects with the system's error, and then none is open. */
export async function openListeners(
  addresses: readonly ListenAddress[],
  settings: ListenerSettings,
  context: TlsContext | null,
  acceptor: Acceptor,
): Promise<Listener[]> {
  const opened: Listener[] = [];
  try {
    for (const each of addresses) {
      const open = async (host: string, port: number): Promise<number> => {
        const at = { ...each, host, port };
        const listener = new Listener(at, settings, each.tls ? context : null, acceptor);
        await listener.open();
        opened.push(listener);
        return listener.address.port;
      };
      await listenAt(each.host, each.port, open, (host) =>
        acceptor.log.debug({ listener: each.key, host }, 'this machine has no such address'),
      );
    }
  } catch (error) {
    for (const listener of opened) listener.close();
    throw error;
  }
  return opened;
}
