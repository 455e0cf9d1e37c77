"""Loop threads, waiting, the bridge between plain and async code, worker threads."""
