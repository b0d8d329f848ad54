// What must hold after a power cut of keys by which queues and exchanges tell duplicates: those of all that was confirmed are
// known, and none whose message was lost. Only looks keys up.
import { FIRST, JOB, LAST, LAST_KEYS, ONCE } from './topology.mjs';

/** Counts keys that are known or not known, and should not be so. `found`: where each message is. */
export function judgeKeys(vhost, messages, found, cutAt, counts) {
  const facts = new Map([ONCE, JOB, LAST, FIRST].map((place) => [place, []]));
  for (const [number, fact] of messages.entries()) {
    facts.get(fact.place)?.push({ ...fact, there: found.has(number) });
  }
  const judge = (place, home, isWrong) => {
    const byKey = new Map();
    for (const fact of facts.get(place))
      byKey.set(fact.key, [...(byKey.get(fact.key) ?? []), fact]);
    for (const [key, all] of byKey) {
      const taken = all.filter(({ firstOf }) => firstOf === null);
      if (isWrong(isKnown(home, key), taken, all)) counts.keys += 1;
    }
  };
  const { queues, exchanges } = vhost;
  const isThere = ({ there }) => there;
  judge(ONCE, queues.get(ONCE), (known, [first], all) => {
    if (first.brief) return known;
    const confirmed = all.some(({ confirmedAt }) => confirmedAt <= cutAt);
    if (first.there || confirmed) return !known;
    return known && cutAt < first.ackedFrom;
  });
  judge(JOB, queues.get(JOB), (known, taken) => {
    const there = taken.filter(isThere).length;
    return there > 1 || known !== (there === 1);
  });
  judge(FIRST, exchanges.get(FIRST), (known, [first]) => known !== first.there);
  // Nothing consumes from it: it has the first ones of all, and knows the last ones of these.
  const taken = facts.get(LAST).filter(({ firstOf }) => firstOf === null);
  const kept = taken.filter(isThere);
  if (taken.findLastIndex(isThere) !== kept.length - 1) counts.lost += 1;
  const last = new Set(kept.slice(-LAST_KEYS).map(({ key }) => key));
  judge(LAST, queues.get(LAST), (known, [{ key }]) => known !== last.has(key));
}

/** Whether a queue or an exchange would drop a message with a key, as it finds out itself. */
function isKnown({ duplicates: { keys } }, key) {
  keys.key.read({ type: 'S', value: Buffer.from(key) });
  return keys.has();
}
