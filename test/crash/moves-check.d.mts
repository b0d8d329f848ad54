export function findFaults(sent: Map<string, boolean>, places: Map<string, string[]>): string[];
