"""Fail where a deploy would still change something: `unchanged.py PLAN`.

PLAN is what `pyinfra --dry --json INVENTORY deploy.py` printed.
"""

import json
import sys
from pathlib import Path


def pending(plan: list[dict[str, object]]) -> list[str]:
    """The names of the operations that a host would be changed by."""
    return [
        str(operation["name"])
        for operation in plan
        if operation["hosts_with_change"] or operation["hosts_with_conditional_change"]
    ]


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: unchanged.py PLAN\n")
        return 2
    plan = json.loads(Path(sys.argv[1]).read_text())["plan"]
    if not plan:
        sys.stderr.write("the plan is empty: no host, or no deploy\n")
        return 1
    changes = pending(plan)
    for name in changes:
        sys.stderr.write(f"would change: {name}\n")
    print(f"{len(changes)} of {len(plan)} operations would change something")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
