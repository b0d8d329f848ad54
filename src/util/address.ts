// Owns what an address of a peer says. Never looks a name up.

/** Whether an address, as a socket gives it, is one of this machine's loopback addresses. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
