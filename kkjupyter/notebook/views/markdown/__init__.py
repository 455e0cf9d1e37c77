"""The markdown view: an LLM's answer, rendered while it is written."""
