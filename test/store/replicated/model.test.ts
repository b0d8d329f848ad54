// Runs the model of the replicated log with the rule, and with broken ones, each of which it has to find. For longer, or with
// a schedule that went wrong: npm run model -- --schedules 1000000, or --seed N --schedules 1.

import { expect, test } from 'vitest';
import { tryToLead } from '../../../src/store/replicated/appender.ts';
import { Chain, type Place } from '../../../src/store/replicated/chain.ts';
import { LEAD, type LogRecord } from '../../../src/store/replicated/record.ts';
import type { MemoryLogClient } from './memory-log-client.ts';
import { type ModelOptions, runModel } from './model.ts';

/** How many schedules with a log that refuses what does not fit, and as many with one that takes all. */
const SCHEDULES = Number(process.env['MODEL_SCHEDULES'] ?? 50_000);
const SEED = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 30));
const PATIENCE_MS = 60_000 + SCHEDULES * 20;
/** What is broken is found within so many schedules; in a tenth of them, as a rule. */
const FOUND_WITHIN = 20_000;

const RULE: ModelOptions = {
  chain: (place) => new Chain(place),
  lead: tryToLead,
  obeys: true,
  byRule: true,
};

async function allHolds(options: ModelOptions): Promise<void> {
  const { wrong, ...counts } = await runModel(SEED, SCHEDULES, options);
  const seed = wrong[0]?.seed;
  expect(wrong, `npm run model -- --seed ${seed} --schedules 1 repeats it`).toEqual([]);
  if (process.env['MODEL_SCHEDULES'] !== undefined) process.stdout.write(`${text(counts)}\n`);
  if (SCHEDULES < 1000) return;
  // The schedules are such that there is something to find.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(SCHEDULES / 10);
}

const text = (counts: object): string => JSON.stringify(counts).replace(/["{}]/g, '');

test('nothing goes wrong', () => allHolds(RULE), PATIENCE_MS);

test(
  'nothing goes wrong where the log takes whatever it is sent',
  () => allHolds({ ...RULE, obeys: false }),
  PATIENCE_MS,
);

/** What goes wrong with the batches, which is not for the digest alone to see. */
const WITH_BATCHES = /made for the state|holds no changes|is lost|counts twice|out of order/;

async function isFound(broken: Partial<ModelOptions>, how = WITH_BATCHES): Promise<void> {
  const { wrong } = await runModel(SEED, FOUND_WITHIN, { ...RULE, byRule: false, ...broken }, 20);
  expect(wrong.map(({ fault }) => fault).join('\n')).toMatch(how);
}

/** A chain without the digest, which would tell of most that goes wrong at the next LEAD. */
class Undigested extends Chain {
  protected override faultOf(): null {
    return null;
  }
}

class WithoutEpoch extends Undigested {
  protected override continues(record: LogRecord, seq: number): boolean {
    if (record.kind === LEAD) return super.continues(record, seq);
    return record.number === this.place.number + 1;
  }
}

class WithoutNumber extends Undigested {
  protected override continues(record: LogRecord, seq: number): boolean {
    if (record.kind === LEAD) return super.continues(record, seq);
    return record.epoch === this.place.epoch;
  }
}

class WithoutPrevious extends Undigested {
  protected override continues(record: LogRecord, seq: number): boolean {
    return record.kind === LEAD || super.continues(record, seq);
  }
}

class WithoutRule extends Undigested {
  protected override continues(): boolean {
    return true;
  }
}

const by = (Rule: new (place: Place) => Chain): Pick<ModelOptions, 'chain'> => ({
  chain: (place) => new Rule(place),
});

/** A leader that takes its LEAD for one that counts, wherever it lies. */
const leadAnywhere: typeof tryToLead = async (client, at, claim) => {
  const result = await tryToLead(client, at, claim);
  if (result.is === 'leads') return result;
  const nonce = Buffer.from(claim.nonce, 'hex');
  const { records } = (client as MemoryLogClient).log;
  const seq = 1 + records.findLastIndex((bytes) => bytes?.includes(nonce));
  return seq === 0 ? result : { is: 'leads', place: { ...at, seq, epoch: seq, number: 0 } };
};

test('the model finds it when all that the log takes counts', () => isFound(by(WithoutRule)));

test('the model finds it when records of any epoch count', () =>
  isFound({ ...by(WithoutEpoch), obeys: false }));

test('the model finds it when records of any number count', async () => {
  await isFound(by(WithoutNumber));
  await isFound({ ...by(WithoutNumber), obeys: false });
});

test('the model finds it when a LEAD counts wherever it lies', () =>
  isFound({ ...by(WithoutPrevious), lead: leadAnywhere, obeys: false }));

test('the model finds it when a node takes its LEAD for one that counts', () =>
  isFound({ ...by(Undigested), lead: leadAnywhere, obeys: false }));

test('the model finds it when a leader sends again without reading', async () => {
  await isFound({ ...by(Undigested), blind: true });
  await isFound({ ...by(Undigested), blind: true, obeys: false });
});

test('the digest tells of a leader that has read other records than the others', () =>
  isFound({ blind: true, obeys: false }, /has read others before it/));
