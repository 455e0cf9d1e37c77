"""Sans-I/O: bytes in, events out, and back; no sockets, loops, threads or clocks."""
