"""Loop threads, waiting in plain and async code, worker threads, logs."""
