"""kkrpc calls over HTTP: one request for each call, and its reply is the answer."""
