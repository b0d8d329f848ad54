// Owns how a value is entered: what a form needs to know of it. Never checks a value: argument-values.ts and
// policy-values.ts do.

/** What a form makes of a value. */
export interface ValueShape {
  readonly type: 'integer' | 'number' | 'string' | 'boolean' | 'choice' | 'any';
  /** The bounds of a number; a bound that is left out is none. */
  readonly min?: number;
  readonly max?: number;
  readonly unit?: 'ms';
  /** The values to choose from. */
  readonly choices?: readonly (string | number)[];
}

export const A_STRING: ValueShape = { type: 'string' };
export const A_BOOLEAN: ValueShape = { type: 'boolean' };
export const ANYTHING: ValueShape = { type: 'any' };

/** An integer within bounds. */
export const integerShape = (min: number, max = Infinity, unit = ''): ValueShape => ({
  type: 'integer',
  min,
  ...(max === Infinity ? {} : { max }),
  ...(unit.includes('milliseconds') ? { unit: 'ms' } : {}),
});

/** One of some values. */
export const choiceShape = (choices: readonly (string | number)[]): ValueShape => ({
  type: 'choice',
  choices,
});
