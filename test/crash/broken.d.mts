// The type of the builds that are broken on purpose for the crash test.

export const BROKEN: {
  name: string;
  /** The rule of the judge that has to find it. */
  rule: string;
  /** A file of dist/, what is searched there and what comes in its place. */
  change: { file: string; from: string | RegExp; to: string };
}[];
