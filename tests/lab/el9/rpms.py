"""RPMs and their repositories, built out of .deb files and files of the layout's own."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.lab.el9 import debian
from tests.lab.el9.packages import (
    EDITS,
    EPEL,
    EXTRAS,
    PLATFORM_PYTHON,
    PROVIDED,
    Extra,
    el_name,
    place,
)
from tests.lab.el9.spec import Rpm, render
from tests.lab.machine import WITH_US, LabError, run

_FILES = Path(__file__).with_name("files")
_INTERPRETERS = (b"#!/usr/bin/python3", b"#! /usr/bin/python3", b"#!/usr/bin/env python3")


def repositories(debs: Path, base: set[str], root: Path, scratch: Path) -> None:
    """Make the repositories of a system under its `root` from a directory of .deb files.

    `base` names, as EL 9 does, what the system has already. `scratch` is an empty directory on
    the same file system.
    """
    scratch.mkdir()
    tree = scratch / "tree"
    rpms = list(_unpacked(sorted(debs.glob("*.deb")), base, root, tree))
    built = build("el9-layout", tree, rpms, scratch)
    for name in ("base", "epel"):
        repository = root / "usr/share/el9-layout" / name
        repository.mkdir(parents=True)
        for file in built:
            if (_name(file) in EPEL) == (name == "epel"):
                file.rename(repository / file.name)
        run("createrepo_c", "--quiet", repository)


def build(name: str, tree: Path, rpms: Iterable[Rpm], scratch: Path) -> list[Path]:
    """Have rpmbuild make these RPMs, and give their files. Raises LabError with its words."""
    tree.mkdir(exist_ok=True)
    spec = scratch / f"{name}.spec"
    spec.write_text(render(name, str(tree), rpms))
    top, out = scratch / f"{name}.rpmbuild", scratch / f"{name}.rpms"
    defines = {"_topdir": top, "_rpmdir": out, "_rpmfilename": "%%{NAME}-%%{VERSION}.rpm"}
    run(
        *(*WITH_US, "rpmbuild", "-bb", "--quiet", "--nodeps"),
        *(word for key, value in defines.items() for word in ("--define", f"{key} {value}")),
        spec,
    )
    shutil.rmtree(top)
    if not (built := sorted(out.glob("*.rpm"))):
        raise LabError(f"rpmbuild made no package out of {spec}")
    return built


def _name(rpm: Path) -> str:
    return rpm.name.rpartition("-")[0]


def _unpacked(debs: list[Path], base: set[str], root: Path, tree: Path) -> Iterator[Rpm]:
    """Place the files of all packages in one tree, and tell which is whose."""
    stanzas: dict[str, list[debian.Stanza]] = {}
    for deb in debs:
        (stanza,) = debian.stanzas(run("dpkg-deb", "--field", deb))
        name = el_name(stanza.name)
        stanzas.setdefault(name, []).append(stanza)
        unpacked = tree.with_name("deb")
        run("dpkg-deb", "--extract", deb, unpacked)
        _move(unpacked, tree.with_name("package") / name)
        shutil.rmtree(unpacked)
    names = {*stanzas, *EXTRAS}
    for name in sorted(names):
        package, extra = tree.with_name("package") / name, EXTRAS.get(name, Extra())
        _add_own(_FILES / name, package)
        for path in extra.modes:
            if not (package / path[1:]).exists():
                (package / path[1:]).mkdir(parents=True)
        paths = sorted(package.rglob("*")) if package.exists() else []
        listed = {path: f"/{path.relative_to(package)}" for path in paths}
        inner = [path for path in paths if path.is_dir() and not path.is_symlink()]
        members = stanzas.get(name, [])
        yield Rpm(
            name=name,
            version=debian.upstream(members[0].version) if members else "9",
            requires=tuple(sorted(_requires(members, base | names) - {name})),
            provides=PROVIDED.get(name, ()),
            files=tuple(listed[path] for path in paths if path not in inner),
            # What the base system has is not for a package to remove, or to set the mode of.
            directories=tuple(
                listed[path] for path in inner if not (root / listed[path][1:]).is_dir()
            ),
            extra=extra,
        )
        if paths:
            shutil.copytree(package, tree, symlinks=True, dirs_exist_ok=True)


def _add_own(files: Path, package: Path) -> None:
    """Lay the layout's own files over Debian's, with modes that depend on nobody's umask."""
    for path in sorted(files.rglob("*")):
        target = package / path.relative_to(files)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(0o755)
        else:
            target.write_bytes(path.read_bytes())
            target.chmod(0o644)


def _requires(stanzas: Iterable[debian.Stanza], known: set[str]) -> set[str]:
    """Of each dependency, the first alternative that is a package here."""
    wanted = (alternatives for stanza in stanzas for alternatives in stanza.depends)
    found = ([el_name(n) for n in alternatives if el_name(n) in known] for alternatives in wanted)
    return {names[0] for names in found if names}


def _move(unpacked: Path, package: Path) -> None:
    """Move what a .deb held to where EL 9 has it."""
    for path in sorted(unpacked.rglob("*")):
        directory = path.is_dir() and not path.is_symlink()
        there = place(f"/{path.relative_to(unpacked)}" + ("/" if directory else ""))
        if there is None:
            continue
        target = package / there.strip("/")
        if directory:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copymode(path, target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        if there in EDITS:
            target.write_text(target.read_text().replace(*EDITS[there]))
        with_platform_python(target)


def with_platform_python(script: Path) -> None:
    """Have a script that runs on the system's Python run on the base system's private one."""
    if script.is_symlink() or not script.is_file():
        return
    with script.open("rb") as file:
        first = file.readline(100)
    if not first.startswith(_INTERPRETERS) or first.rstrip().endswith(b"3.11"):
        return
    options = first.rstrip().partition(b"python3")[2]
    rest = script.read_bytes()[len(first) :]
    script.write_bytes(b"#!" + PLATFORM_PYTHON.encode() + options + b"\n" + rest)
