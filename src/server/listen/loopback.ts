// Owns what the hosts `localhost` and `*` mean for a listener: both loopback addresses, or every interface, as far as
// the machine has them. Never opens anything by itself.

/** The addresses of the loopback, the one that every machine has first. */
const LOOPBACK = ['127.0.0.1', '::1'];

/** Every interface: by IPv6, which takes IPv4 in, and by IPv4 on a machine without the other. */
const EVERYWHERE = ['::', '0.0.0.0'];

/** What the system says of an address that this machine does not have. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EINVAL',
  'ENOTFOUND',
]);

/**
 * Listens at a place: with `*` on every interface, with `localhost` on both loopback addresses, and on the same port
 * where the system chooses one. An address that the machine lacks is passed over, if there is another; all other errors
 * reject. `missing` is told of an address that was passed over. `open` opens one and resolves with its port; what it
 * opened is the caller's to close.
 */
export async function listenAt(
  host: string,
  port: number,
  open: (host: string, port: number) => Promise<number>,
  missing: (address: string) => void = () => {},
): Promise<void> {
  if (host === '*') {
    await openOne(EVERYWHERE, port, open, missing);
    return;
  }
  if (host !== 'localhost') {
    await open(host, port);
    return;
  }
  let chosen = port;
  let failure: unknown = null;
  let opened = 0;
  for (const address of LOOPBACK) {
    try {
      chosen = await open(address, chosen);
      opened += 1;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // A port that the system chose on one address may be taken on the other.
      if (!NOT_HERE.has(code) && !(port === 0 && opened > 0 && code === 'EADDRINUSE')) throw error;
      failure = error;
      missing(address);
    }
  }
  if (opened === 0) throw failure;
}

/** Opens the first address that the machine has. */
async function openOne(
  addresses: readonly string[],
  port: number,
  open: (host: string, port: number) => Promise<number>,
  missing: (address: string) => void,
): Promise<void> {
  let failure: unknown = null;
  for (const address of addresses) {
    try {
      await open(address, port);
      return;
    } catch (error) {
      if (!NOT_HERE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      failure = error;
      missing(address);
    }
  }
  throw failure;
}
