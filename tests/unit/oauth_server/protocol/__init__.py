"""Unit tests of the server, by the path of what they test."""
