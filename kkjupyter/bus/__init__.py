"""Message buses between the workers of a service and its clients: one module for each kind."""
