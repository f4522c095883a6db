"""Ten years of a fleet in virtual time: the server's own code for keys, and an oracle beside it.

docs/decisions/key-simulation.md says what is simulated, and what is claimed.
"""
