// Owns matching names against regular expressions as RabbitMQ's users write them (Perl's dialect),
// so that no pattern can hold up the event loop. Never anchors: '^' and '$' are the user's to write.

import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { UserError } from '../user-error.ts';
import { LookaroundPattern } from './lookaround.ts';
import { sizeOfPattern } from './pattern-size.ts';
import { closingBracket, hasAlternatives, toNative } from './pattern-syntax.ts';

/** A longer pattern is refused. */
const LENGTH_MAX = 8192;
/** What a pattern may cost, as pattern-size.ts counts it. */
const COST_MAX = 10_000;
/** Groups within groups; more could exhaust the stack of an engine. */
const NESTING_MAX = 100;

/** A text that is no pattern, with what is wrong about it. */
export class PatternError extends UserError {
  override readonly name = 'PatternError';

  constructor(text: string, fault: string) {
    super(`'${text}' is not a valid regular expression: ${fault}`);
  }
}

/** A compiled pattern. */
export interface Pattern {
  readonly text: string;
  /** Whether the pattern is found anywhere in a text. */
  matches(text: string): boolean;
}

type Test = (text: string) => boolean;

/**
 * Compiles a pattern. All run in time linear in the text, counted in steps and never by a clock: without an
 * engine, on that of RE2, or, where RE2 lacks what they need, on one that looks around. What neither can do,
 * backreferences for one, is refused, as is what would take too many steps. Throws a PatternError.
 */
export function compilePattern(text: string): Pattern {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  if (text.length > LENGTH_MAX) {
    throw new PatternError(shown, `it is longer than ${LENGTH_MAX} characters`);
  }
  const plain = withoutEngine(text);
  if (plain !== null) return { text, matches: plain };
  const { cost, nesting } = sizeOfPattern(text);
  if (cost > COST_MAX) {
    const advice = 'repeat less, or write fewer alternatives';
    throw new PatternError(shown, `it would take too many steps to match: ${advice}`);
  }
  if (nesting > NESTING_MAX) {
    throw new PatternError(shown, `its groups are nested deeper than ${NESTING_MAX}`);
  }
  const compiled = withLookaheads(text) ?? linear(text);
  if (typeof compiled === 'function') return { text, matches: compiled };
  const pattern = lookingAround(text, compiled);
  return { text, matches: (name) => pattern.matches(name) };
}

/** A plain text, which may have '^' before it, '.*' behind it, and '$' at the end. */
const PLAIN = /^(\^?)((?:[^.*+?()[\]{}|^$\\]|\\[^\p{L}\p{N}])*)((?:\.\*)?)(\$?)$/su;

function withoutEngine(text: string): Test | null {
  const [, anchor, escaped, rest, end] = PLAIN.exec(text) ?? [];
  if (escaped === undefined) return null;
  const literal = escaped.replace(/\\(.)/gsu, '$1');
  const { length } = literal;
  const anchored = anchor === '^';
  if (end === '') {
    if (anchored) return (name) => name.startsWith(literal);
    return (name) => name.includes(literal);
  }
  if (rest === '') {
    if (anchored) return (name) => name === literal;
    return (name) => name.endsWith(literal);
  }
  // A dot stands for any character but a line feed.
  if (anchored) return (name) => name.startsWith(literal) && !name.includes('\n', length);
  return (name) => {
    const at = name.lastIndexOf(literal);
    return at >= 0 && !name.includes('\n', at + length);
  };
}

/**
 * Patterns such as '^(?!amq\.).*', which RabbitMQ's own examples use: what is looked for ahead at
 * the start is a pattern of its own, which matches there or not.
 */
function withLookaheads(text: string): Test | null {
  const [, flags = '', body = ''] = /^((?:\(\?[ims]+\))?)\^(\(\?[=!].*)$/s.exec(text) ?? [];
  const atStart = (part: string): Test | null => {
    const compiled = linear(`${flags}^(?:${part})`);
    return typeof compiled === 'function' ? compiled : null;
  };
  if (body === '' || flags.includes('m') || hasAlternatives(body)) return null;
  const tests: Test[] = [];
  let from = 0;
  for (const wanted of lookaheads(body)) {
    const test = atStart(body.slice(wanted.start, wanted.end));
    if (test === null) return null;
    tests.push(wanted.negative ? (name) => !test(name) : test);
    from = wanted.end + 1;
  }
  const rest = atStart(body.slice(from));
  if (rest === null || tests.length === 0) return null;
  return (name) => tests.every((test) => test(name)) && rest(name);
}

interface Lookahead {
  readonly negative: boolean;
  readonly start: number;
  readonly end: number;
}

/** The lookaheads that a pattern begins with. */
function lookaheads(body: string): Lookahead[] {
  const found: Lookahead[] = [];
  let from = 0;
  while (body.startsWith('(?=', from) || body.startsWith('(?!', from)) {
    const end = closingBracket(body, from);
    if (end < 0) return [];
    found.push({ negative: body[from + 2] === '!', start: from + 3, end });
    from = end + 1;
  }
  return found;
}

let re2Loaded: typeof RE2JS | null = null;

/** The engine, loaded with the first pattern that needs one: most brokers have none. */
function re2(): typeof RE2JS {
  re2Loaded ??= (createRequire(import.meta.url)('re2js') as { RE2JS: typeof RE2JS }).RE2JS;
  return re2Loaded;
}

/** The pattern on RE2's engine, or what it says against it. */
function linear(text: string): Test | string {
  try {
    const compiled = re2().compile(text);
    return (name) => compiled.matcher(name).find();
  } catch (error) {
    return faultOf(error);
  }
}

/** Whether it says that the dialect lacks something, rather than that something is wrong. */
const LACKING = /unsupported|invalid named capture|invalid escape|repeat count|nested repetition/;

function lookingAround(text: string, linearFault: string): LookaroundPattern {
  try {
    const { source, flags } = toNative(text);
    // JavaScript's own engine says whether it is sound, and never runs it.
    new RegExp(source, flags);
    return new LookaroundPattern(source, flags);
  } catch (error) {
    throw new PatternError(text, LACKING.test(linearFault) ? faultOf(error) : linearFault);
  }
}

/** The message of an engine without the pattern, which the reader knows. */
function faultOf(error: unknown): string {
  const { message } = error as Error;
  return message
    .replace(/^error parsing regexp: /, '')
    .replace(/^Invalid regular expression: \/.*\/\w*: /s, '');
}
