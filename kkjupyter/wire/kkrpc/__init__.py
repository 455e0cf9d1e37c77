"""The protocols of kkrpc, classic and compact, and how to tell which one a peer speaks."""
