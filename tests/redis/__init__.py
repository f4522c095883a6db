"""Redis as the deploy sets it up, but in a directory of the test's own and as its child."""
