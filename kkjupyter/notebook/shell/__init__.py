"""Changes to IPython itself: tracebacks, reprs, interrupts, logs."""
