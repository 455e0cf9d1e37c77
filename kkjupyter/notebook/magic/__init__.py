"""``%rpc``: its grammar, options, sub-commands and completion."""
