"""What pyinfra 3.10 works out anew for every operation and fact, worked out once.

It is some 12 ms of processor time an operation, for each host. Each can go when pyinfra does it.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from pyinfra.api import arguments


def quicken(deploy_file: str) -> None:
    """Let pyinfra place and name operations without a search; `deploy_file` is what it executes."""
    # An operation's place is its lines in the stack, for which inspect wants each frame's module.
    # deploy.py is in none: all modules are then searched for it, each time.
    module = ModuleType("portcullis_deploy")
    module.__file__ = str(Path(deploy_file).absolute())
    sys.modules.setdefault(module.__name__, module)
    # The global arguments' types are evaluated from their text at each call.
    if not hasattr(arguments.all_global_arguments, "cache_info"):
        arguments.all_global_arguments = cache(arguments.all_global_arguments)
