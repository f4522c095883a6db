"""The server over real HTTP: a process of its own, with the sockets that systemd would pass."""
