// Owns what the host name `localhost` means for a listener: both loopback addresses, as far as the
// machine has them. Never opens anything by itself.

/** The addresses of the loopback, the one that every machine has first. */
const LOOPBACK = ['127.0.0.1', '::1'];

/** What the system says of an address that this machine does not have. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EINVAL',
  'ENOTFOUND',
]);

/**
 * Listens at a place: with `localhost` on both loopback addresses, and on the same port where the system
 * chooses one. An address that the machine lacks is passed over, if there is another; all other errors
 * reject. `open` opens one and resolves with its port; what it opened is the caller's to close.
 */
export async function listenAt(
  host: string,
  port: number,
  open: (host: string, port: number) => Promise<number>,
): Promise<void> {
  if (host !== 'localhost') {
    await open(host, port);
    return;
  }
  let chosen = port;
  let missing: unknown = null;
  let opened = 0;
  for (const address of LOOPBACK) {
    try {
      chosen = await open(address, chosen);
      opened += 1;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // A port that the system chose on one address may be taken on the other.
      if (!NOT_HERE.has(code) && !(port === 0 && opened > 0 && code === 'EADDRINUSE')) throw error;
      missing = error;
    }
  }
  if (opened === 0) throw missing;
}
