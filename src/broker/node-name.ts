// Owns the name of this node, as peers are told it. Never makes one up: there is but one node.

export const NODE_NAME = 'leveret';
