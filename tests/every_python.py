"""Run the unit tests on each Python from 3.10 to 3.13 that this machine has.

Each interpreter gets an environment from the lock in .venvs/, which later runs use again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
ROOT = Path(__file__).resolve().parent.parent


def main(uv: str) -> int:
    failed = []
    for version in VERSIONS:
        interpreter = find(version)
        if interpreter is None:
            print(f"== Python {version}: not on this machine, not tested", flush=True)
            continue
        print(f"== Python {version}: {interpreter}", flush=True)
        if subprocess.run(
            [environment(uv, version, interpreter), "-m", "pytest", "-n", "auto", "tests/unit"],
            cwd=ROOT,
        ).returncode:
            failed.append(version)
    if failed:
        print(f"== the unit tests failed on Python {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def find(version: str) -> str | None:
    """An interpreter that runs and is of this version: on the PATH, or one of pyenv's."""
    candidates = [shutil.which(f"python{version}"), f"/usr/bin/python{version}"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    question = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for candidate in filter(None, candidates):
        # pyenv's shims exist for versions that are not chosen, and then fail.
        try:
            answer = subprocess.run([candidate, "-c", question], capture_output=True)
        except OSError:
            continue
        if answer.returncode == 0:
            return candidate
    return None


def environment(uv: str, version: str, interpreter: str) -> str:
    """The path of a Python with everything in the lock."""
    directory = ROOT / ".venvs" / version
    python = str(directory / "bin" / "python")
    quiet = [uv, "--quiet"]
    subprocess.run(
        [*quiet, "venv", "--allow-existing", "--python", interpreter, str(directory)], check=True
    )
    lock = str(ROOT / "requirements.lock")
    subprocess.run(
        [*quiet, "pip", "sync", "--python", python, "--require-hashes", lock], check=True
    )
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
