"""What IPython itself shows and does: tracebacks, reprs, interrupts, logs."""
