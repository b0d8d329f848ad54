// Owns counting what code goes over: elements of arrays, maps and sets, and the size of what is made JSON. Loops
// by index are not seen. Never judges the count.

import type { Clock } from '../../src/util/clock.ts';

/** So many characters of JSON take as long as a visit. */
const CHARS_PER_VISIT = 100;

/** Methods of arrays that go over all of them. Copies by `slice` cost next to nothing. */
const WHOLE = ['flat', 'includes', 'indexOf', 'join', 'reverse', 'sort', 'toSorted'] as const;

/** Those that may end earlier, and call what they are given for each. */
const CALLING = [
  'every',
  'filter',
  'find',
  'findIndex',
  'findLast',
  'flatMap',
  'forEach',
  'map',
  'reduce',
  'reduceRight',
  'some',
] as const;

type Any = (this: unknown, ...args: unknown[]) => unknown;

/** What was visited while it was watched. */
export class Visits {
  /** In all. */
  total = 0;
  /** The most of any turn of the event loop. */
  most = 0;
  /** How many turns ended. */
  turns = 0;
  /** A clock that moves by what is visited, and by nothing else. */
  readonly clock: Clock = {
    wallMs: () => Date.parse('2026-01-01'),
    monotonicMs: () => this.total / this.perMs,
  };
  private readonly perMs: number;
  private inTurn = 0;
  private watching = false;
  private readonly undo: (() => void)[] = [];

  /** `perMs`: so many elements count as a millisecond. */
  constructor(perMs: number) {
    this.perMs = perMs;
  }

  /** Runs `act` and counts, until it resolves, what this thread goes over. */
  async watch<T>(act: () => Promise<T> | T): Promise<T> {
    this.most = 0;
    this.turns = 0;
    this.inTurn = 0;
    this.watching = true;
    const turn = (): void => {
      if (!this.watching) return;
      this.endTurn();
      this.turns += 1;
      setImmediate(turn);
    };
    setImmediate(turn);
    this.patch();
    try {
      return await act();
    } finally {
      this.watching = false;
      for (const each of this.undo.splice(0).reverse()) each();
      this.endTurn();
    }
  }

  private endTurn(): void {
    this.most = Math.max(this.most, this.inTurn);
    this.inTurn = 0;
  }

  private add(count: number): void {
    this.inTurn += count;
    this.total += count;
  }

  private patch(): void {
    const iterators = [[].values(), new Map().values(), new Set().values()];
    for (const iterator of iterators) {
      this.replace(Object.getPrototypeOf(iterator), 'next', (given) => {
        const visits = this;
        return function next(...args) {
          visits.add(1);
          return given.apply(this, args);
        };
      });
    }
    for (const method of WHOLE) this.countLength(Array.prototype, method, 'length');
    for (const method of CALLING) this.countCalls(method);
    this.countLength(Map.prototype, 'forEach', 'size');
    this.countLength(Set.prototype, 'forEach', 'size');
    for (const method of ['keys', 'values', 'entries']) {
      this.replace(Object, method, (given) => (value) => {
        const list = given.call(Object, value) as unknown[];
        this.add(list.length);
        return list;
      });
    }
    this.replace(JSON, 'stringify', (given) => (...args) => {
      const text = given.apply(JSON, args) as string | undefined;
      this.add(Math.floor((text?.length ?? 0) / CHARS_PER_VISIT));
      return text;
    });
  }

  private countCalls(method: string): void {
    this.replace(Array.prototype, method, (given) => {
      const visits = this;
      return function counted(act, ...rest) {
        const counting: Any = function each(...args) {
          visits.add(1);
          return (act as Any).apply(this, args);
        };
        return given.call(this, counting, ...rest);
      };
    });
  }

  private countLength(of: object, method: string, length: 'length' | 'size'): void {
    this.replace(of, method, (given) => {
      const visits = this;
      return function counted(...args) {
        visits.add((this as { length: number; size: number })[length]);
        return given.apply(this, args);
      };
    });
  }

  private replace(of: object, name: string, make: (given: Any) => Any): void {
    const place = of as Record<string, Any>;
    const given = place[name] as Any;
    const kept = Object.getOwnPropertyDescriptor(of, name) as PropertyDescriptor;
    Object.defineProperty(of, name, { ...kept, value: make(given) });
    this.undo.push(() => Object.defineProperty(of, name, kept));
  }
}
