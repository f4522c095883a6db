"""The audit: what a host must be like, stated a second time, and looked at from outside."""
