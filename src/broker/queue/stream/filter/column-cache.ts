// Owns the filter columns of all streams that were read last. Never reads one.

/** So many columns are kept, of 128 KiB each. */
const COLUMNS_MAX = 16;

/** The columns that were used last, by stream and span. */
export class ColumnCache {
  private readonly columns = new Map<string, Uint16Array>();

  get(id: number, span: number): Uint16Array | undefined {
    const name = `${id} ${span}`;
    const column = this.columns.get(name);
    if (column === undefined) return undefined;
    this.columns.delete(name);
    this.columns.set(name, column);
    return column;
  }

  put(id: number, span: number, column: Uint16Array): void {
    this.columns.set(`${id} ${span}`, column);
    if (this.columns.size <= COLUMNS_MAX) return;
    for (const oldest of this.columns.keys()) {
      this.columns.delete(oldest);
      return;
    }
  }

  remove(id: number, span: number): void {
    this.columns.delete(`${id} ${span}`);
  }
}
