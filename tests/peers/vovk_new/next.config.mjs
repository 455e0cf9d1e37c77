// The root is said, or Next would look for one above, where other lock files lie.
export default { turbopack: { root: import.meta.dirname } };
