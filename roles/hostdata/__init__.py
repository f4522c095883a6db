"""The schema of everything that a host in an inventory may carry, one key a role.

Defaults stand here and nowhere else. pyinfra merges data by whole keys (`--data`, host, group,
all): the most specific value of a key wins as it is.
"""
