"""The roles, against hosts that only exist in memory."""
