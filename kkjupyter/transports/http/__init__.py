"""Requests over HTTP, their replies read as they come, and the heartbeat beneath."""
