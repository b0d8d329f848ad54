// Owns matching patterns that look ahead and behind, in time linear in the text: each state of a program is
// visited once at each place, and what is looked for around a place is found once for all places. Never
// backtracks, so that no pattern can run away, and knows no backreferences, which need that.
//
//   a(?!b)c   main:  a  assert #0  c  match        run from the left, beginning anywhere
//             #0:    b  match                      run from the right, ending anywhere: where it may begin

/** One thing of a pattern. */
type Node =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'all'; readonly nodes: readonly Node[] }
  | { readonly kind: 'any'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly holds: Assertion };

type CharTest = (char: string) => boolean;
/** Where among the characters of a text an assertion holds: an entry for each place between them. */
type Assertion = (run: Run) => Uint8Array;

const CHAR = 0;
const SPLIT = 1;
const JUMP = 2;
const ASSERT = 3;
const MATCH = 4;

interface Step {
  readonly op: number;
  readonly test: CharTest | null;
  readonly holds: Assertion | null;
  /** Where to go on, for a split and a jump. */
  a: number;
  b: number;
}

/** One text that is looked at, with what was found out about its places. */
interface Run {
  readonly chars: readonly string[];
  readonly found: Map<object, Uint8Array>;
  steps: number;
}

/** What `look` finds out about the places of a text, once for each text. */
function once(look: Assertion): Assertion {
  return (run) => {
    const known = run.found.get(look);
    if (known !== undefined) return known;
    const places = look(run);
    run.found.set(look, places);
    return places;
  };
}

/** What is wrong with a pattern for this engine. */
class LookaroundError extends Error {
  override readonly name = 'LookaroundError';
}

/** A pattern in JavaScript's dialect with the flag `u`, which JavaScript has found sound. */
export class LookaroundPattern {
  /** How many states the programs have: no text takes more steps than that for each of its places. */
  readonly states: number;
  private readonly program: Program;
  /** The steps that the last text took. */
  steps = 0;

  constructor(source: string, flags: string) {
    const parser = new Parser(source, flags);
    this.program = new Program(parser.parse(), false);
    this.states = parser.programs.reduce((sum, { size }) => sum + size, this.program.size);
  }

  /** Whether the pattern is found anywhere in a text. */
  matches(text: string): boolean {
    const run: Run = { chars: [...text], found: new Map(), steps: 0 };
    const matched = this.program.run(run).includes(1);
    this.steps = run.steps;
    return matched;
  }
}

/** States, and a walk over a text from the left or from the right. */
class Program {
  private readonly states: Step[] = [];
  private readonly backwards: boolean;

  constructor(node: Node, backwards: boolean) {
    this.backwards = backwards;
    this.emit(node);
    this.add(MATCH);
  }

  get size(): number {
    return this.states.length;
  }

  /** The places where a match that began anywhere ends. */
  run(run: Run): Uint8Array {
    const { chars } = run;
    const ends = new Uint8Array(chars.length + 1);
    const seen = new Int32Array(this.states.length).fill(-1);
    let here: number[] = [];
    for (let n = 0; n <= chars.length; n++) {
      const place = this.backwards ? chars.length - n : n;
      const next: number[] = [];
      const char = this.backwards ? chars[place - 1] : chars[place];
      here.push(0);
      // What a state leads to without a character is looked at in the same place.
      for (let state = here.pop(); state !== undefined; state = here.pop()) {
        if (seen[state] === place) continue;
        seen[state] = place;
        run.steps += 1;
        const { op, test, holds, a, b } = this.states[state] as Step;
        if (op === MATCH) ends[place] = 1;
        else if (op === SPLIT) here.push(a, b);
        else if (op === JUMP) here.push(a);
        else if (op === ASSERT && holds?.(run)[place] === 1) here.push(state + 1);
        else if (op === CHAR && char !== undefined && test?.(char) === true) next.push(state + 1);
      }
      here = next;
    }
    return ends;
  }

  private add(op: number, test: CharTest | null = null, holds: Assertion | null = null): Step {
    const state: Step = { op, test, holds, a: 0, b: 0 };
    this.states.push(state);
    return state;
  }

  private emit(node: Node): void {
    switch (node.kind) {
      case 'char':
        this.add(CHAR, node.test);
        return;
      case 'assert':
        this.add(ASSERT, null, node.holds);
        return;
      case 'all': {
        const { nodes } = node;
        for (const each of this.backwards ? [...nodes].reverse() : nodes) this.emit(each);
        return;
      }
      case 'any':
        this.emitAny(node.nodes);
        return;
      case 'repeat':
        this.emitRepeat(node.node, node.min, node.max);
        return;
    }
  }

  private emitAny(nodes: readonly Node[]): void {
    const jumps: Step[] = [];
    for (const [n, each] of nodes.entries()) {
      const last = n === nodes.length - 1;
      const split = last ? null : this.add(SPLIT);
      if (split !== null) split.a = this.size;
      this.emit(each);
      if (!last) jumps.push(this.add(JUMP));
      if (split !== null) split.b = this.size;
    }
    for (const jump of jumps) jump.a = this.size;
  }

  private emitRepeat(node: Node, min: number, max: number): void {
    for (let n = 0; n < min; n++) this.emit(node);
    if (max === Infinity) {
      const start = this.size;
      const split = this.add(SPLIT);
      split.a = this.size;
      this.emit(node);
      this.add(JUMP).a = start;
      split.b = this.size;
      return;
    }
    const splits: Step[] = [];
    for (let n = min; n < max; n++) {
      const split = this.add(SPLIT);
      split.a = this.size;
      splits.push(split);
      this.emit(node);
    }
    for (const split of splits) split.b = this.size;
  }
}

/** Reads a pattern that JavaScript has found sound. */
class Parser {
  /** Those of the lookarounds. */
  readonly programs: Program[] = [];
  private readonly source: string;
  private readonly flags: string;
  private at = 0;

  constructor(source: string, flags: string) {
    this.source = source;
    this.flags = flags;
  }

  /** Alternatives up to the end of the group or of the pattern. */
  parse(): Node {
    const alternatives: Node[] = [];
    let nodes: Node[] = [];
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      if (this.source[this.at] === '|') {
        alternatives.push({ kind: 'all', nodes });
        nodes = [];
        this.at += 1;
      } else {
        nodes.push(this.repeated(this.atom()));
      }
    }
    const last: Node = { kind: 'all', nodes };
    return alternatives.length === 0 ? last : { kind: 'any', nodes: [...alternatives, last] };
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  private repeated(node: Node): Node {
    const found = this.take(/(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/uy);
    if (found === null) return node;
    const [quantifier, least, comma, most] = found;
    if (quantifier[0] === '*') return { kind: 'repeat', node, min: 0, max: Infinity };
    if (quantifier[0] === '+') return { kind: 'repeat', node, min: 1, max: Infinity };
    if (quantifier[0] === '?') return { kind: 'repeat', node, min: 0, max: 1 };
    const min = Number(least);
    const unbounded = most === '' ? Infinity : Number(most);
    return { kind: 'repeat', node, min, max: comma === '' ? min : unbounded };
  }

  private atom(): Node {
    const look = this.take(/\(\?(<?)([=!])/uy);
    if (look !== null) return this.lookaround(look[1] === '', look[2] === '!');
    if (this.take(/\((?:\?:|\?<[^>]*>)?/uy) !== null) {
      const inner = this.parse();
      this.at += 1;
      return inner;
    }
    if (this.take(/\\(?:[1-9]|k<)/uy) !== null) {
      throw new LookaroundError('backreferences are not supported, since they cannot be bounded');
    }
    const edge = this.take(/\\b|\\B|\^|\$/uy);
    if (edge !== null) return { kind: 'assert', holds: this.edge(edge[0]) };
    const [one] = this.take(/\[(?:[^\]\\]|\\.)*\]|\\(?:u\{.*?\}|x..|c.|[pP]\{.*?\}|.)|./suy) ?? [
      '',
    ];
    return { kind: 'char', test: this.charTest(one) };
  }

  /** A program of its own, which is asked where it could begin, or end. */
  private lookaround(ahead: boolean, negative: boolean): Node {
    const program = new Program(this.parse(), ahead);
    this.at += 1;
    this.programs.push(program);
    const holds = once((run) => {
      const places = program.run(run);
      return negative ? places.map((each) => 1 - each) : places;
    });
    return { kind: 'assert', holds };
  }

  private charTest(one: string): CharTest {
    if (!/[\\.[]/.test(one) && !this.flags.includes('i')) return (char) => char === one;
    const pattern = new RegExp(`^${one}$`, this.flags.replace('m', ''));
    return (char) => pattern.test(char);
  }

  private edge(one: string): Assertion {
    const lines = this.flags.includes('m');
    const word = new RegExp('^\\w$', this.flags);
    const isWord = (char: string | undefined): boolean => char !== undefined && word.test(char);
    const holds = (before: string | undefined, after: string | undefined): boolean => {
      if (one === '^') return before === undefined || (lines && LINE_END.test(before));
      if (one === '$') return after === undefined || (lines && LINE_END.test(after));
      return (isWord(before) !== isWord(after)) === (one === '\\b');
    };
    return once(({ chars }) => {
      const places = new Uint8Array(chars.length + 1);
      for (let n = 0; n <= chars.length; n++) places[n] = holds(chars[n - 1], chars[n]) ? 1 : 0;
      return places;
    });
  }
}

const LINE_END = /^[\n\r\u2028\u2029]$/;
