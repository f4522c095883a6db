"""Two servers on one Redis: what only one of them may do, and what survives the death of either."""
