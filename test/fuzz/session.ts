// Owns a run of many cases: one broker for as long as it lives, a bystander beside it, figures, and what to
// print when a case finds something. Never knows what a case is made of.

import { Bystander } from './bystander.ts';
import { Finding, FuzzBroker } from './fuzz-broker.ts';
import { shrink } from './shrink.ts';

/** One kind of cases. */
export interface Kind<T extends object> {
  readonly name: string;
  make(seed: number): T[];
  /** Plays a case; `label` is new each time. Throws a Finding. */
  play(broker: FuzzBroker, bystander: Bystander, steps: readonly T[], label: string): Promise<void>;
}

/** How long a run is: in cases, or in seconds where they are given. */
export interface Length {
  readonly seed: number;
  readonly cases: number;
  readonly seconds: number | null;
}

export interface Figures {
  readonly cases: number;
  readonly slowestMs: number;
  readonly grownMib: number;
}

/** What a run found, made small. */
export interface Found<T> {
  /** The number of the case, from 0. */
  readonly number: number;
  readonly finding: Finding;
  readonly smallest: readonly T[];
}

const SHRINK_TRIES = Number(process.env['FUZZ_TRIES'] ?? 150);
const SHRINK_MS = 60_000;
/** So much of a finding is printed when a run goes on, and so much tells it from others. */
const NOTED_CHARS = 1200;
const LIKE_CHARS = 120;
/** A broker that has had that many cases has warmed up: from there on memory is compared. */
const WARM_CASES = 200;

/** The settings of the environment, which `npm run fuzz` makes of its options. */
export function lengthOf(casesInCi: number): Length {
  const { env } = process;
  const seconds = env['FUZZ_SECONDS'];
  return {
    seed: Number(env['SEED'] ?? 20_261_128),
    cases: Number(env['FUZZ_CASES'] ?? casesInCi),
    seconds: seconds === undefined ? null : Number(seconds),
  };
}

/** A broker and its bystander, made anew after the broker was harmed. */
class Session<T extends object> {
  private readonly kind: Kind<T>;
  private broker: FuzzBroker | null = null;
  private bystander: Bystander | null = null;
  private label = 0;
  slowestMs = 0;

  constructor(kind: Kind<T>) {
    this.kind = kind;
  }

  /** Plays some steps; gives what they found. */
  async play(steps: readonly T[]): Promise<Finding | null> {
    try {
      const { broker, bystander } = await this.ready();
      this.label += 1;
      await this.kind.play(broker, bystander, steps, `v${this.label}`);
      this.slowestMs = Math.max(this.slowestMs, bystander.slowestMs);
      return null;
    } catch (error) {
      await this.end();
      if (error instanceof Finding) return error;
      const { stack = '' } = error as Error;
      return new Finding('harness', stack);
    }
  }

  async memoryMib(): Promise<number> {
    return (await (await this.ready()).broker.look()).mib;
  }

  /** Closes the broker, whose folder must be sound and start again; gives what is wrong with it. */
  async check(): Promise<Finding | null> {
    try {
      const { broker } = await this.ready();
      this.bystander?.leave();
      await broker.closeAndCheck();
      await broker.start();
      return null;
    } catch (error) {
      if (error instanceof Finding) return error;
      throw error;
    } finally {
      await this.end();
    }
  }

  async end(): Promise<void> {
    this.bystander?.leave();
    await this.broker?.dispose();
    this.broker = null;
    this.bystander = null;
  }

  private async ready(): Promise<{ broker: FuzzBroker; bystander: Bystander }> {
    if (this.broker === null) {
      this.broker = new FuzzBroker();
      await this.broker.start();
      this.bystander = new Bystander(this.broker);
    }
    return { broker: this.broker, bystander: this.bystander as Bystander };
  }
}

/** Plays cases until one finds something or the run is over. */
async function runCases<T extends object>(
  kind: Kind<T>,
  { seed, cases, seconds }: Length,
): Promise<{ found: Found<T> | null; figures: Figures }> {
  const session = new Session(kind);
  const endMs = Date.now() + (seconds ?? 0) * 1000;
  const more = (n: number): boolean => (seconds === null ? n < cases : Date.now() < endMs);
  let memoryMib = 0;
  let number = 0;
  let found: Found<T> | null = null;
  for (; found === null && more(number); number++) {
    const steps = kind.make(seed + number);
    const finding = await session.play(steps);
    if (finding !== null && process.env['FUZZ_ALL'] !== undefined) noteFinding(number, finding);
    else if (finding !== null) {
      found = await minimal(session, { number, finding, smallest: steps });
    }
    if (number === WARM_CASES) memoryMib = await session.memoryMib();
  }
  const grownMib =
    number > WARM_CASES && found === null ? (await session.memoryMib()) - memoryMib : 0;
  const unsound = found === null ? await session.check() : null;
  if (unsound !== null) found = { number, finding: unsound, smallest: [] };
  await session.end();
  return { found, figures: { cases: number, slowestMs: session.slowestMs, grownMib } };
}

const noted = new Set<string>();

/** Prints a finding that is like none before, for a run that goes on. */
function noteFinding(number: number, finding: Finding): void {
  const text = finding.message.slice(0, NOTED_CHARS);
  const like = text.replace(/\d+/g, '0').slice(0, LIKE_CHARS);
  if (!noted.has(like)) console.log(`case ${number}: ${text}`);
  noted.add(like);
}

async function minimal<T extends object>(session: Session<T>, found: Found<T>): Promise<Found<T>> {
  const { kind, message } = found.finding;
  console.log(`case ${found.number}: ${message}\nmaking it smaller`);
  const endMs = Date.now() + SHRINK_MS;
  let finding = found.finding;
  const fails = async (steps: readonly T[]): Promise<boolean> => {
    if (Date.now() > endMs) return false;
    const again = await session.play(steps);
    if (again?.kind !== kind) return false;
    finding = again;
    return true;
  };
  const smallest = await shrink(found.smallest, fails, SHRINK_TRIES);
  return { ...found, finding, smallest };
}

/** What to print of a find. */
function describe<T extends object>(kind: Kind<T>, { seed }: Length, found: Found<T>): string {
  const json = JSON.stringify(found.smallest).replaceAll("'", "'\\''");
  return (
    `case ${found.number} of SEED=${seed} found ${found.finding.message}\n` +
    `again: npm run fuzz -- ${kind.name} --replay '${json}'`
  );
}

/** So long a test of such a run may take. */
export function timeoutOf({ seconds }: Length): number {
  return 900_000 + (seconds ?? 0) * 1000;
}

/** The body of a test: plays what the environment asks for, and fails with what is found. */
export async function runKind<T extends object>(kind: Kind<T>, length: Length): Promise<void> {
  const replay = process.env['FUZZ_REPLAY'];
  if (replay !== undefined) {
    const session = new Session(kind);
    const steps = JSON.parse(replay) as T[];
    const finding = (await session.play(steps)) ?? (await session.check());
    await session.end();
    if (finding !== null) throw finding;
    return;
  }
  const { found, figures } = await runCases(kind, length);
  const { cases, slowestMs, grownMib } = figures;
  console.log(
    `${kind.name}: ${cases} cases from SEED=${length.seed}; a bystander waited ` +
      `${slowestMs.toFixed(1)} ms at most; ${grownMib.toFixed(0)} MiB more in use`,
  );
  if (found !== null) throw new Error(describe(kind, length, found), { cause: found.finding });
}
