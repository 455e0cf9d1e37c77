"""The public functions, and which kind of address goes to which client."""
