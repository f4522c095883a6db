"""roles.hostdata: every rule has one line that names host, key and rule, and no value."""
