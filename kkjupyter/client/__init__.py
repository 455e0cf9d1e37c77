"""The calling side: sessions that reconnect, remote names, and how calls are made."""
