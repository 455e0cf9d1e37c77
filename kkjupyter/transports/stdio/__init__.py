"""Bytes over stdin and stdout, of a started program or of this process."""
