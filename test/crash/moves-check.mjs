// Judges where messages were found after a kill. Knows no broker.

/**
 * @param {Map<string, boolean>} sent whether each message was confirmed
 * @param {Map<string, string[]>} places the queues in which each was found
 * @returns {string[]}
 */
export function findFaults(sent, places) {
  const faults = [];
  for (const [id, confirmed] of sent) {
    const found = places.get(id) ?? [];
    if (found.length > 1) faults.push(`${id} is in ${found.join(' and ')}`);
    if (found.length === 0 && confirmed) faults.push(`${id} was confirmed and is nowhere`);
  }
  for (const id of places.keys())
    if (!sent.has(id)) faults.push(`${id} was not sent in this round`);
  return faults;
}
