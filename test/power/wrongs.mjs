// What may be wrong with an image after a power cut, and how that is called. Never looks at one.

const WRONGS = {
  lost: 'confirmed are lost',
  again: 'acked came back',
  twice: 'are there twice, or though they are duplicates',
  early: 'are ready before their time',
  ticks: 'times the ticks are not those noted',
  keys: 'keys are not known, or known without their message',
  groups: 'of a group are out of order or never come',
  offsets: 'times an offset of a stream names another message, or none',
  places: 'times the place of a group is too far ahead, or behind',
  damaged: 'are damaged',
  unopened: 'times it cannot be opened',
};

/** How often each came about: never. */
export function noneWrong() {
  return Object.fromEntries(Object.keys(WRONGS).map((what) => [what, 0]));
}

/** What was counted, in words; null: nothing is wrong. */
export function textOf(counts) {
  const wrong = Object.entries(WRONGS).filter(([what]) => counts[what] > 0);
  return wrong.length === 0
    ? null
    : wrong.map(([what, text]) => `${counts[what]} ${text}`).join(', ');
}
