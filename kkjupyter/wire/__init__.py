"""Protocols and codecs without I/O: bytes in, events out, and back; no sockets, loops or clocks."""
