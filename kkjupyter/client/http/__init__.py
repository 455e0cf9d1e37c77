"""Calls over HTTP: a request for each, its reply the answer."""
