"""Where packages come from: the mirror that the machine's own apt uses, and its proxy."""

import os
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.kinds import Kind
from tests.lab.machine import attempt, run

# A Debian machine of another release finds the same parts of the kind's release on its mirror.
_RELEASE = re.compile(r"(?P<base>[a-z]+)(?P<part>-updates|-security)?")


def apt_sources(kind: Kind) -> list[str]:
    """Give the kind's lines for sources.list, on the mirrors that this machine's apt uses.

    The list is empty where its apt has no Debian mirror, as on Ubuntu.
    """
    fields = "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = attempt("apt-get", "indextargets", "--format", fields, "Identifier: Packages")
    return from_targets(kind, targets.stdout if targets.returncode == 0 else "")


def from_targets(kind: Kind, targets: str) -> list[str]:
    """Read apt's own list of index targets, a line each: origin, URI, release, component."""
    lines = []
    for target in targets.splitlines():
        origin, uri, release, component = target.split(" ")
        named = _RELEASE.fullmatch(release)
        if named is None or urlsplit(uri).scheme not in ("http", "https"):
            continue
        # Before the first `apt-get update` apt knows no origin and leaves the field as it is.
        known = origin == "Debian" or (origin == "$(ORIGIN)" and named["base"] == kind.suite)
        if known and component in kind.components:
            suite = kind.suite + (named["part"] or "")
            lines.append(f"deb [signed-by={kind.keyring}] {uri} {suite} {component}")
    has_base = any(f" {kind.suite} " in line for line in lines)
    return sorted(set(lines)) if has_base else []


def mirrors_of(image_root: Path) -> set[str]:
    """List `host:port` of every package source that an image names."""
    listed = [image_root / "etc/apt/sources.list"]
    listed += sorted((image_root / "etc/apt/sources.list.d").glob("*"))
    mirrors = set()
    for file in listed:
        for uri in re.findall(r"https?://\S+", file.read_text() if file.is_file() else ""):
            parts = urlsplit(uri)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            mirrors.add(f"{parts.hostname}:{port}")
    return mirrors


def apt_proxies() -> dict[str, str]:
    """Give the machine's proxies for packages by scheme: apt's setting, else the environment's."""
    settings = run(
        "apt-config", "shell", "http", "Acquire::http::Proxy", "https", "Acquire::https::Proxy"
    )
    proxies = {
        scheme: os.environ[variable]
        for scheme, variable in (("http", "http_proxy"), ("https", "https_proxy"))
        if os.environ.get(variable)
    }
    proxies |= dict(word.split("=", 1) for word in shlex.split(settings))
    return {scheme: proxy for scheme, proxy in proxies.items() if proxy not in ("", "DIRECT")}
