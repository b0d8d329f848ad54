// Owns what of a file of definitions cannot be taken: all causes, each told once with the items that it is about, and
// whether the rest is taken without these. Never judges an item.

import { wordOf } from '../../util/json/json.ts';
import { Refusal } from '../errors.ts';
import { ItemRefusal } from './item.ts';

/** So many items are named for one cause, and so many causes told; of more there is a count. */
const PLACES_MAX = 100;
const CAUSES_MAX = 200;

/** Items of a file by what is to be said of them. */
export class Causes {
  private readonly byCause = new Map<string, { readonly places: string[]; count: number }>();
  private untold = 0;

  add(cause: string, place: string): void {
    const found = this.byCause.get(cause);
    if (found !== undefined) {
      found.count += 1;
      if (found.places.length < PLACES_MAX) found.places.push(place);
    } else if (this.byCause.size < CAUSES_MAX) {
      this.byCause.set(cause, { places: [place], count: 1 });
    } else {
      this.untold += 1;
    }
  }

  /** A line for each cause: one text where it is about one item, another where it is about several. */
  lines(
    one: (place: string, cause: string) => string,
    several: (places: string, cause: string) => string,
  ): string[] {
    const lines = [...this.byCause].map(([cause, { places, count }]) => {
      const [first = ''] = places;
      if (count === 1) return one(first, cause);
      const rest = count - places.length;
      const more = rest === 0 ? '' : ` and ${rest} more`;
      return several(places.join(', ') + more, cause);
    });
    return this.untold === 0 ? lines : [...lines, `${this.untold} more, for other causes`];
  }
}

/** All that is wrong with a file of definitions. */
export class DefinitionsRefusal extends Refusal {
  /** A line for each cause. */
  readonly causes: readonly string[];

  constructor(causes: readonly string[]) {
    const [only = ''] = causes;
    const head = `${causes.length} things are wrong with these definitions:`;
    super('invalid', causes.length === 1 ? only : [head, ...causes].join('\n'));
    this.causes = causes;
  }
}

/** What is wrong with one file, while it is read and checked. */
export class Faults {
  /** Whether items that cannot be taken are left out; else the whole file is refused. */
  readonly skip: boolean;
  private readonly refused = new Causes();
  private readonly notes: string[] = [];
  /** What is wrong with the file as a whole: to leave out items does not help. */
  private readonly whole: string[] = [];
  /** What names these vhosts and users is wrong because they are. */
  private readonly refusedNames = new Set<string>();

  constructor(skip: boolean) {
    this.skip = skip;
  }

  /** What `run` returns; undefined where it throws that an item cannot be taken, which is kept. */
  attempt<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof ItemRefusal)) throw error;
      this.add(error);
      return undefined;
    }
  }

  /** Keeps that an item, or a part of it, cannot be taken. */
  add({ what, place, consequence }: ItemRefusal): void {
    // Without the cause the consequence is none. Where items are left out, each of them is named.
    if (this.skip || !consequence) this.refused.add(what, place);
  }

  /** Keeps that the vhost or user of this name cannot be taken. */
  refuseName(kind: 'vhosts' | 'users', name: unknown): void {
    this.refusedNames.add(`${kind} ${wordOf(name)}`);
  }

  /** Whether the vhost or user of this name cannot be taken. */
  hasRefused(kind: 'vhosts' | 'users', name: string): boolean {
    return this.refusedNames.has(`${kind} ${name}`);
  }

  /** Keeps that the file cannot be taken, whatever is left out of it. */
  refuseFile(cause: string): void {
    this.whole.push(cause);
  }

  /** Keeps lines about what is taken. */
  note(lines: readonly string[]): void {
    this.notes.push(...lines);
  }

  /** Throws a DefinitionsRefusal with all causes, unless there are none or these items are left out. */
  settle(): void {
    const lines = this.refused.lines(
      (place, cause) => `${place}: ${cause}`,
      (places, cause) => `${cause}: ${places}`,
    );
    const causes = this.skip ? this.whole : [...lines, ...this.whole];
    if (causes.length > 0) throw new DefinitionsRefusal(causes);
  }

  /** What was left out, and what else is to be said: for the operator. */
  warnings(): readonly string[] {
    return [...leftOutLines(this.refused), ...this.notes];
  }
}

/** A line for each cause for which items are left out. */
export function leftOutLines(causes: Causes): string[] {
  return causes.lines(
    (place, cause) => `${place} is left out: ${cause}`,
    (places, cause) => `left out, as ${cause}: ${places}`,
  );
}
