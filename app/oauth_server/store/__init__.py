"""State that is shared between servers or survives a restart."""
