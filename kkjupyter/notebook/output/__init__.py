"""Where a view appears: the widget, its control channel, the terminal."""
