"""The spec file that rpmbuild makes all RPMs of a repository from, a subpackage each."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.lab.el9.packages import Extra

_PREAMBLE = """\
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _unpackaged_files_terminate_build 0
%global _build_id_links none
%global _binary_payload w1.gzdio
Name: {name}
Version: 9
Release: 1
Summary: Debian's files in EL 9's layout
License: as Debian's packages say
AutoReqProv: no

%description
An emulation for test hosts.

%install
mkdir -p %{{buildroot}}
cp -al {tree}/. %{{buildroot}}
"""


@dataclass(frozen=True)
class Rpm:
    """One package: `files` and `directories` are paths below the tree that it is built from."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    extra: Extra = field(default_factory=Extra)


def render(name: str, tree: str, rpms: Iterable[Rpm]) -> str:
    """Give the spec of a collection whose files lie in `tree`; its hard links are cheap."""
    return "\n".join([_PREAMBLE.format(name=name, tree=tree), *map(_subpackage, rpms)])


def _subpackage(rpm: Rpm) -> str:
    lines = [
        f"%package -n {rpm.name}",
        f"Version: {rpm.version}",
        "Release: 1.el9layout",
        f"Summary: {rpm.name} in EL 9's layout, from Debian's files",
        "AutoReqProv: no",
        *(f"Requires: {name}" for name in (*rpm.requires, *rpm.extra.requires)),
        *(f"Provides: {name}" for name in rpm.provides),
        *(["Requires(pre): shadow-utils"] if rpm.extra.accounts else []),
        f"%description -n {rpm.name}",
        "An emulation for test hosts.",
    ]
    if rpm.extra.accounts:
        lines.append(f"%pre -n {rpm.name}")
        lines += [_account(user, home) for user, home in rpm.extra.accounts]
    lines += [f"%files -n {rpm.name}", "%defattr(-, root, root, -)"]
    lines += [_file(path, rpm.extra) for path in rpm.files]
    lines += [f"%dir {_mode(path, rpm.extra)}{_quoted(path)}" for path in rpm.directories]
    return "\n".join([*lines, ""])


def _account(user: str, home: str) -> str:
    return (
        f"getent passwd {user} > /dev/null || useradd --system --user-group --no-create-home "
        f"--home-dir {home} --shell /usr/sbin/nologin {user}"
    )


def _file(path: str, extra: Extra) -> str:
    config = "%config(noreplace) " if path.startswith("/etc/") else ""
    return f"{config}{_mode(path, extra)}{_quoted(path)}"


def _mode(path: str, extra: Extra) -> str:
    if path not in extra.modes:
        return ""
    user, group, mode = extra.modes[path]
    return f"%attr({mode}, {user}, {group}) "


def _quoted(path: str) -> str:
    # rpmbuild reads globs even between quotes.
    return '"' + "".join(f"\\{char}" if char in '"\\[]*?{}' else char for char in path) + '"'
