"""Serving controllers to Vovk clients."""
