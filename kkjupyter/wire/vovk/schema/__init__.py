"""The schema of a Vovk server: its model, its names, read from JSON and written to it."""
