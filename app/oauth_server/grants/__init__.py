"""From an authenticated client to a token."""
