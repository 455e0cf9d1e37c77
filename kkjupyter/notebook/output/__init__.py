"""The places where a view appears: the widget with its control channel, and the terminal."""
