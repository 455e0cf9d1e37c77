"""The serving side: who may come in, what they reach, and how each request is answered."""
