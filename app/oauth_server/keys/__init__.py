"""Signing keys: where they lie, and what signs with them."""
