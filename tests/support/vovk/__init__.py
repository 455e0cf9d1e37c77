"""Vovk servers: real ones in Node, ours with the same API, and some written by hand."""
