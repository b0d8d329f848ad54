// Owns matching names against regular expressions as RabbitMQ's users write them (Perl's dialect),
// so that no pattern can hold up the event loop. Never anchors: '^' and '$' are the user's to write.

import { createRequire } from 'node:module';
import { createContext, Script } from 'node:vm';
import type { RE2JS } from 're2js';
import { closingBracket, hasAlternatives, toNative } from './pattern-syntax.ts';

/** A longer pattern is refused: nobody has written it by hand. */
const LENGTH_MAX = 16_384;
/** What backtracking may take for one match. */
const BACKTRACKING_MS = 20;
/** One match that was cut short is paid off by so many that were not run, or ended in time. */
const CUT_SHORT_DEBT = 1000;
/** With more debt a pattern is not run at all, which bounds what hostile names can cost. */
const DEBT_MAX = 3 * CUT_SHORT_DEBT;

/** A text that is no pattern, with what is wrong about it. */
export class PatternError extends Error {
  override readonly name = 'PatternError';

  constructor(text: string, fault: string) {
    super(`'${text}' is not a valid regular expression: ${fault}`);
  }
}

/** A compiled pattern. */
export interface Pattern {
  readonly text: string;
  /** How many matches took too long and were answered with no. */
  readonly cutShort: number;
  /** Whether the pattern is found anywhere in a text. A match that takes too long is none. */
  matches(text: string): boolean;
}

type Test = (text: string) => boolean;

/**
 * Compiles a pattern. Most run in time linear in the text: without an engine, or on that of RE2.
 * Those with what RE2 lacks, such as backreferences, run on the engine that backtracks, which is
 * stopped after 20 ms. Throws a PatternError.
 */
export function compilePattern(text: string): Pattern {
  if (text.length > LENGTH_MAX) {
    throw new PatternError(`${text.slice(0, 40)}...`, `it is longer than ${LENGTH_MAX} characters`);
  }
  const compiled = withoutEngine(text) ?? withLookaheads(text) ?? linear(text);
  if (typeof compiled === 'function') return { text, cutShort: 0, matches: compiled };
  return new BacktrackingPattern(text, native(text, compiled));
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

function native(text: string, linearFault: string): RegExp {
  try {
    const { source, flags } = toNative(text);
    return new RegExp(source, flags);
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

/** A pattern that can take time without end, on an engine that is stopped before. */
class BacktrackingPattern implements Pattern {
  readonly text: string;
  cutShort = 0;
  private readonly pattern: RegExp;
  private debt = 0;

  constructor(text: string, pattern: RegExp) {
    this.text = text;
    this.pattern = pattern;
  }

  matches(text: string): boolean {
    if (this.debt > 0) this.debt -= 1;
    if (this.debt > DEBT_MAX) return false;
    workbench ??= createWorkbench();
    const { context, script } = workbench;
    context.pattern = this.pattern;
    context.text = text;
    try {
      return script.runInContext(context, { timeout: BACKTRACKING_MS }) === true;
    } catch {
      this.cutShort += 1;
      this.debt += CUT_SHORT_DEBT;
      return false;
    }
  }
}

interface Workbench {
  readonly context: { pattern: RegExp | null; text: string };
  readonly script: Script;
}

/** Where patterns are run that may have to be stopped; made when the first one comes. */
let workbench: Workbench | null = null;

function createWorkbench(): Workbench {
  const context = { pattern: null, text: '' };
  createContext(context);
  return { context, script: new Script('pattern.test(text)') };
}
