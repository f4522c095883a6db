"""The server's face: the only part that knows the web framework."""
