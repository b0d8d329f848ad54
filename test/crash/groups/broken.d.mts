// The types of builds that are broken on purpose; broken.mjs has them.
export const BROKEN: {
  name: string;
  /** The faults that are to show it. */
  only: string[];
  /** Finds it in any case. */
  test: string;
  changes: { file: string; from: string; to: string }[];
}[];
