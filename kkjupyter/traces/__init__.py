"""What went over the wire for a call: recorded, kept without secrets, told as text."""
