// Preloaded into a program that knows nothing of it: it ends when its standard input does, so that it cannot
// outlive whoever started it.
process.stdin.on("close", () => process.exit(0)).resume();
