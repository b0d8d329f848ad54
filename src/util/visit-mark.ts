// Owns the mark that a search leaves on what it has found. Never searches.

/** What can be found: it carries the mark of the last search that met it. */
export interface Visitable {
  /** 0 at first; belongs to the searches alone. */
  visitMark: number;
}
