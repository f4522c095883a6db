"""Test hosts: real Debian systems under systemd-nspawn, made by `python -m tests.lab`."""
