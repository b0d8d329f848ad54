// Owns making a case smaller while it still finds the same. Never runs one itself.

/**
 * The smallest list of steps found that still fails, where `fails` says whether some do. Whole steps go
 * first, in halves, quarters and so on; then parts of what is left, as long as there are tries.
 */
export async function shrink<T extends object>(
  steps: readonly T[],
  fails: (steps: readonly T[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly T[]> {
  let smallest = steps;
  let tries = 0;
  const attempt = async (candidate: readonly T[]): Promise<boolean> => {
    if (tries >= triesMax) return false;
    tries += 1;
    if (!(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (
    let size = Math.ceil(steps.length / 2);
    size >= 1;
    size = size > 1 ? Math.ceil(size / 2) : 0
  ) {
    for (let at = 0; at < smallest.length; ) {
      const rest = [...smallest.slice(0, at), ...smallest.slice(at + size)];
      if (!(await attempt(rest))) at += size;
    }
  }
  for (let at = 0; at < smallest.length; at++) {
    for (let more = true; more; ) {
      more = false;
      for (const step of smaller(smallest[at]) as T[]) {
        more = await attempt([...smallest.slice(0, at), step, ...smallest.slice(at + 1)]);
        if (more) break;
      }
    }
  }
  return smallest;
}

/** The same value with one part less, in every place that can lose one: lists, and optional properties. */
function smaller(value: unknown, optional = false): unknown[] {
  if (Array.isArray(value)) {
    // A value of a table is a pair of a type and what it holds: both stay, and the inner may shrink.
    const isList = value.length > 0 && typeof value[0] === 'object';
    const without = isList ? value.map((_, at) => value.filter((__, other) => other !== at)) : [];
    return [
      ...without,
      ...value.flatMap((part, at) => smaller(part).map((p) => value.with(at, p))),
    ];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    const { [key]: _gone, ...rest } = value as Record<string, unknown>;
    const inner = smaller(part, key === 'properties').map((less) => ({ ...value, [key]: less }));
    return optional ? [rest, ...inner] : inner;
  });
}
