// Owns comparing what a broker says with what a model says. Never knows of what.

/** Throws unless the broker and the model say the same. */
export function same(what: string, broker: unknown, model: unknown): void {
  const [ours, theirs] = [JSON.stringify(broker), JSON.stringify(model)];
  if (ours !== theirs) throw new Error(`${what}: ${ours}, but the model has ${theirs}`);
}
