"""The protocol's rules, without I/O."""
