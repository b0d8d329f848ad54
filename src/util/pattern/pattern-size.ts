// Owns what a pattern costs before any engine sees it: how large it becomes when its repetitions are written
// out, and how many states may be alive at once. Never judges its syntax: any text has a cost.

import { behindAtom } from './pattern-syntax.ts';

/*
 * What an engine that runs in linear time does for each character of a text grows with the states of the
 * pattern. Scaled from what the linear engine took for 1,500 of them: 625 optional atoms, which cost 10,000 here, take 18 ms for a
 * name of 255 characters in the worst case, and 4,000 written out repetitions about 25 ms to compile.
 */
const CHOICE = 15;
const ALTERNATIVE = 6;
/** A class of Unicode has hundreds of ranges. */
const UNICODE_CLASS = 15;
const COPIES = 2;
/** Larger numbers of repetitions are all the same: too many. */
const COUNT_MAX = 1e6;

/** What a pattern comes to. */
export interface PatternSize {
  /** A plain character costs 1; `?`, `*`, `+` and each repetition that may be left out cost more. */
  readonly cost: number;
  /** How deep groups lie within groups. */
  readonly nesting: number;
}

/** Measures a pattern in one pass over its text. */
export function sizeOfPattern(text: string): PatternSize {
  const groups: Group[] = [{ before: 0, last: 0 }];
  let group = groups[0] as Group;
  let nesting = 0;
  for (let at = 0; at < text.length; ) {
    const end = behindPiece(text, at);
    const piece = text.slice(at, end);
    const counted = COUNTED.exec(piece);
    if (counted !== null) {
      group.last = repeated(group.last, counted);
    } else if (piece === '?' || piece === '*' || piece === '+') {
      group.last += CHOICE;
    } else if (piece === '(') {
      group = { before: 0, last: 0 };
      groups.push(group);
      nesting = Math.max(nesting, groups.length - 1);
    } else if (piece === ')' && groups.length > 1) {
      const inner = group.before + group.last;
      groups.pop();
      group = groups[groups.length - 1] as Group;
      add(group, inner + 1);
    } else {
      add(group, costOf(piece));
    }
    at = end;
  }
  const cost = groups.reduce((sum, { before, last }) => sum + before + last, 0);
  return { cost, nesting };
}

/** Of a group that is open, what came before its last atom, and that atom. */
interface Group {
  before: number;
  last: number;
}

function add(group: Group, cost: number): void {
  group.before += group.last;
  group.last = cost;
}

const COUNTED = /^\{(\d*)(,?)(\d*)\}$/;

/** Where the quantifier, quoted text or atom ends that begins here. */
function behindPiece(text: string, at: number): number {
  if (text[at] === '{') {
    const quantifier = /^\{\d*,?\d*\}/.exec(text.slice(at, at + 64));
    return at + (quantifier?.[0].length ?? 1);
  }
  if (!text.startsWith('\\Q', at)) return Math.min(text.length, behindAtom(text, at));
  const end = text.indexOf('\\E', at + 2);
  return end < 0 ? text.length : end + 2;
}

function costOf(piece: string): number {
  if (piece === '|') return ALTERNATIVE;
  if (piece.startsWith('\\Q')) return piece.length;
  return 1 + UNICODE_CLASS * (piece.match(/\\[pP]/g)?.length ?? 0);
}

/** What `{n}`, `{n,}` and `{n,m}` make of an atom: it is written out so often. */
function repeated(atom: number, [, least = '', comma, most = '']: RegExpExecArray): number {
  const min = Math.min(COUNT_MAX, Number(least));
  if (comma === '') return Math.max(1, atom) * COPIES * Math.max(1, min);
  const max = most === '' ? min + 1 : Math.max(1, min, Math.min(COUNT_MAX, Number(most)));
  return Math.max(1, atom) * COPIES * max + CHOICE * (max - min);
}
