// Owns reading the syntax of Perl's regular expressions as far as it differs from JavaScript's.
// Never matches anything: pattern.ts does.

/** Where the group ends that opens at `open`; -1 when it does not end. */
export function closingBracket(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at = behindAtom(text, at)) {
    if (text[at] === '(') depth += 1;
    if (text[at] !== ')') continue;
    depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

/** Whether there is a '|' outside of all groups, or something that hides whether there is. */
export function hasAlternatives(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at = behindAtom(text, at)) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (text[at] === '|' && depth === 0) return true;
    if (text.startsWith('\\Q', at)) return true;
  }
  return false;
}

/** Steps over an escaped character, a class in square brackets, or any one character. */
export function behindAtom(text: string, at: number): number {
  if (text[at] === '\\') return at + 2;
  if (text[at] !== '[') return at + 1;
  let end = at + 1;
  if (text[end] === '^') end += 1;
  // A closing bracket that comes first stands for itself.
  if (text[end] === ']') end += 1;
  while (end < text.length && text[end] !== ']') {
    const named = /^\[:\^?\w+:\]/.exec(text.slice(end, end + 16));
    if (named !== null) end += named[0].length;
    else end += text[end] === '\\' ? 2 : 1;
  }
  return end + 1;
}

/** A pattern in JavaScript's dialect. */
export interface NativePattern {
  readonly source: string;
  readonly flags: string;
}

/** Escapes that mean the same in both dialects. */
const SAME_ESCAPES = 'dDwWsSbBnrtf';
const OTHER_ESCAPES: Readonly<Record<string, string>> = {
  A: '(?<![\\s\\S])',
  z: '(?![\\s\\S])',
  Z: '(?=\\n?(?![\\s\\S]))',
  h: '[ \\t]',
  H: '[^ \\t]',
  N: '[^\\n]',
  R: '(?:\\r\\n|[\\n-\\r])',
  v: '[\\n-\\r]',
  a: '\\x07',
  e: '\\x1b',
};
const CLASS_ESCAPES: Readonly<Record<string, string>> = {
  h: ' \\t',
  v: '\\n-\\r',
  a: '\\x07',
  e: '\\x1b',
  b: '\\b',
};
const NAMED_CLASSES: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  word: '\\w',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9A-Fa-f',
};

/**
 * Translates a pattern of Perl's dialect for an engine of JavaScript with the flag 'u'. Throws an
 * Error that names what JavaScript lacks; whether the rest is sound, the engine says.
 */
export function toNative(text: string): NativePattern {
  const [head, letters = ''] = /^\(\?([ims]+)\)/.exec(text) ?? [''];
  let source = '';
  let at = head.length;
  while (at < text.length) {
    const rest = text.slice(at);
    const [piece, translated] = text[at] === '[' ? classOf(text, at) : atomOf(rest);
    source += translated;
    at += piece;
  }
  return { source, flags: `u${[...new Set(letters)].join('')}` };
}

type Piece = readonly [length: number, translated: string];

function atomOf(rest: string): Piece {
  if (rest[0] === '\\') return escapeOf(rest, false);
  const quantifier = /^\{\d+(?:,\d*)?\}/.exec(rest);
  if (quantifier !== null) return [quantifier[0].length, quantifier[0]];
  if ('{}]'.includes(rest[0] as string)) return [1, `\\${rest[0]}`];
  if (rest.startsWith('(?P<')) return [4, '(?<'];
  const comment = /^\(\?#[^)]*\)/.exec(rest);
  if (comment !== null) return [comment[0].length, ''];
  if (/^[*+?}]\+/.test(rest) || rest.startsWith('(?>')) {
    throw new Error('atomic groups and possessive quantifiers are not supported');
  }
  if (/^\(\?[a-zA-Z-]+[:)]/.test(rest)) {
    throw new Error('flags are supported at the start of a pattern only, beside lookaround');
  }
  return [1, rest[0] as string];
}

function escapeOf(rest: string, inClass: boolean): Piece {
  const letter = rest[1];
  if (letter === undefined) throw new Error('a backslash at the end');
  const quoted = /^\\Q(.*?)(?:\\E|$)/s.exec(rest);
  if (quoted !== null) return [quoted[0].length, (quoted[1] as string).replace(SYNTAX, '\\$&')];
  const hex = /^\\x\{([0-9a-fA-F]+)\}/.exec(rest);
  if (hex !== null) return [hex[0].length, `\\u{${hex[1]}}`];
  const kept = /^\\(?:x[0-9a-fA-F]{2}|[pP]\{\^?\w+\}|[1-9]\d*|k<\w+>|c[A-Za-z])/.exec(rest);
  if (kept !== null) return [kept[0].length, kept[0]];
  const other = (inClass ? CLASS_ESCAPES : OTHER_ESCAPES)[letter];
  if (other !== undefined) return [2, other];
  if (SAME_ESCAPES.includes(letter)) return [2, `\\${letter}`];
  if (/[A-Za-z0-9]/.test(letter)) throw new Error(`\\${letter} is not supported`);
  return [2, letter.replace(inClass ? CLASS_SYNTAX : SYNTAX, '\\$&')];
}

const SYNTAX = /[.*+?()[\]{}|^$\\/]/g;
const CLASS_SYNTAX = /[\]\\^[-]/g;

function classOf(text: string, start: number): Piece {
  const end = behindAtom(text, start);
  if (end > text.length) throw new Error('missing closing ]');
  let at = start + 1;
  let source = '[';
  if (text[at] === '^') {
    source += '^';
    at += 1;
  }
  while (at < end - 1) {
    const rest = text.slice(at, end - 1);
    const named = /^\[:(\w+):\]/.exec(rest);
    const members = named === null ? undefined : NAMED_CLASSES[named[1] as string];
    const [length, translated]: Piece =
      named !== null && members !== undefined
        ? [named[0].length, members]
        : rest[0] === '\\'
          ? escapeOf(rest, true)
          : [1, '[]'.includes(rest[0] as string) ? `\\${rest[0]}` : (rest[0] as string)];
    source += translated;
    at += length;
  }
  return [end - start, `${source}]`];
}
