// Owns the line between looking at something and changing it: whether a change is under way. Never decides
// what follows from that: the code that catches an exception does.

/**
 * What changes memory says so before and after, without try and finally: where it throws in between, the
 * change stays under way, and only the end of the process is safe. What throws while none is under way
 * has left everything as it was. Sections may lie within each other.
 */
export class ChangeLine {
  /** How many sections have begun and ended. They may wrap: small integers are what is fast. */
  begun = 0;
  private ended = 0;

  /** From here on something is being changed. */
  begin(): void {
    this.begun = (this.begun + 1) | 0;
  }

  /** The change that began last is whole. */
  end(): void {
    this.ended = (this.ended + 1) | 0;
  }

  /** Runs one change that is seldom made; what may refuse it has been asked before. */
  change(act: () => void): void {
    this.begin();
    act();
    this.end();
  }

  /** Whether something that was begun is not whole. */
  get underWay(): boolean {
    return this.begun !== this.ended;
  }

  /** How many sections are under way: where that is as before, what was thrown since left no half change. */
  get depth(): number {
    return (this.begun - this.ended) | 0;
  }

  /** A refusal came out of a section: its rules left nothing half done. */
  refused(): void {
    this.ended = this.begun;
  }
}
