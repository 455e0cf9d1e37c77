"""What of a served object clients may call, read and set."""
