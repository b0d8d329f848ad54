// Owns the name of a node that nothing names. Never holds that of this one: the settings do (`node.name`).

export const NODE_NAME = 'leveret';
