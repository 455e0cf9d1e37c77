"""``%rpc``: its grammar, its options, what each sub-command does, and completion."""
