// Owns reading the target of an HTTP request (RFC 9112 §3.2) by functions that cannot throw. Never
// decides which paths there are.

/** The longest target that is looked at, in characters; names of 255 bytes may be escaped twice. */
export const TARGET_CHARS_MAX = 16 * 1024;

/**
 * The path of a target: up to the query, without scheme and authority where it has them, as it was sent
 * otherwise. '' for what has none: `*`, the `host:port` of CONNECT, what is too long.
 */
export function pathOf(target: string | undefined): string {
  if (target === undefined || target.length > TARGET_CHARS_MAX) return '';
  const absolute = /^https?:\/\/[^/?#]*/i.exec(target);
  const rest = absolute === null ? target : target.slice(absolute[0].length);
  const end = rest.search(/[?#]/);
  const path = end < 0 ? rest : rest.slice(0, end);
  if (path.startsWith('/')) return path;
  return absolute !== null && path === '' ? '/' : '';
}
