"""Calling the handlers of Vovk servers."""
