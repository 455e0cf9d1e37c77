"""Joins wire and transports: both sides of a channel, and what a user holds of it."""
