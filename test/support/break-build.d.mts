export interface Change {
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
}

export function breakBuild(root: string, folder: string, changes: readonly Change[]): string;
export function bundle(root: string): void;
