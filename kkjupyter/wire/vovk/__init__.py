"""Vovk over HTTP: requests, replies, streamed bodies, forms and queries as bytes."""
