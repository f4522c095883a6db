"""The only wiring: settings in, a server out."""
