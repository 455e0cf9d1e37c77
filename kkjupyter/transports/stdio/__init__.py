"""Bytes over stdin and stdout: of a program that is started, or of this process."""
