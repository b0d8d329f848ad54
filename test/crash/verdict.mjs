// Notes down what the judge of the crash test finds. Never decides anything.

export function fault(state, rule, text) {
  state.violations.push({ rule, text });
}

export function count(state, name, by = 1) {
  state.counts[name] = (state.counts[name] ?? 0) + by;
}
