// Owns which consumer of a group reads which partition. Never moves one: reading.ts does.

/**
 * Shares partitions out among members: each gets as many as the others, or one more. `owners` says for each partition
 * which member has it, or null; one that is no member any more counts as none. Members keep what they have, as far as
 * their share allows. Returns for each partition its member; null where there is no member.
 */
export function shareOut<M>(members: readonly M[], owners: readonly (M | null)[]): (M | null)[] {
  if (members.length === 0) return owners.map(() => null);
  const least = Math.floor(owners.length / members.length);
  let larger = owners.length % members.length;
  const counts = new Map<M, number>(members.map((member) => [member, 0]));
  const shares = owners.map((owner): M | null => {
    const count = owner === null ? undefined : counts.get(owner);
    if (owner === null || count === undefined) return null;
    if (count > least || (count === least && larger === 0)) return null;
    if (count === least) larger -= 1;
    counts.set(owner, count + 1);
    return owner;
  });
  return shares.map((owner) => {
    if (owner !== null) return owner;
    const next = members.reduce((best, member) =>
      (counts.get(member) as number) < (counts.get(best) as number) ? member : best,
    );
    counts.set(next, (counts.get(next) as number) + 1);
    return next;
  });
}
