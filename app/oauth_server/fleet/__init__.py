"""Servers of one issuer that publish each other's keys, and believe nobody else's."""
