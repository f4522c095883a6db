"""`python -m benchmarks`: every figure of docs/performance.md, by name if some are named."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import ansible, deploys, overload, size, throughput, tokens

Benchmark = Callable[[Path, int, float], dict[str, float]]
BENCHMARKS: dict[str, Benchmark] = {
    "bare": lambda at, n, s: throughput.against_bare(at, rounds=n, seconds=s),
    "others": lambda at, n, s: throughput.against_others(at, rounds=n, seconds=s),
    "pkcs11": lambda at, n, s: tokens.against_module(at, rounds=n, seconds=s),
    "overload": lambda at, _, s: overload.overload(at, seconds=2 * s),
    "memory": lambda at, _, s: size.memory(at, seconds=s),
    "deploy": lambda at, n, _: deploys.one(at, rounds=n),
    "fleet": lambda at, n, _: deploys.fleet(at, rounds=n),
    "ansible": lambda at, n, _: ansible.against(at, rounds=n),
    "start": lambda at, n, _: size.start(at, rounds=n),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round of one side")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"not known: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        for name in options.names or BENCHMARKS:
            results = BENCHMARKS[name](Path(directory), options.rounds, options.seconds)
            for what, figure in results.items():
                print(f"{name:9} {what:44} {figure:9.3f}", flush=True)


if __name__ == "__main__":
    main()
