"""Releases and keys on a host."""

from __future__ import annotations

from collections.abc import Generator
from secrets import token_hex

from pyinfra import host
from pyinfra.api import FileUploadCommand, QuoteString, StringCommand

from roles.oauth_server.facts import (
    CURRENT,
    KEYS,
    RELEASES,
    ActiveKeyPair,
    InstalledReleases,
    WaitingKey,
    WholeRelease,
)
from roles.oauth_server.release import Release
from roles.questions import operation

_ROOT = CURRENT.rpartition("/")[0]

# Names that begin with a dot are never releases, so an upload or an unpacking that was cut off
# half way is none either; what a killed run left behind goes with a later one.
UNPACK = f"""\
set -eu
umask 022
find {RELEASES} -maxdepth 1 -name '.*-*' -mmin +60 -exec rm -rf {{}} + || :
stage=$(mktemp -d {RELEASES}/.stage-XXXXXX)
trap 'rm -rf "$stage" "$stage.old" "$UPLOAD"' EXIT
tar -xzf "$UPLOAD" -C "$stage" --no-same-owner
{{
  echo "$DIGEST  $stage/SHA256SUMS" | sha256sum --check --status
  cd "$stage"
  sha256sum --check --strict --quiet SHA256SUMS
  test "$(find . -type f | wc -l)" = "$(($(wc -l < SHA256SUMS) + 1))"
}} || {{ echo "the upload is not the release $DIGEST" >&2; exit 1; }}
"$PYTHON" -m compileall -q -j 0 --invalidation-mode unchecked-hash . ||
  {{ echo "$PYTHON cannot compile the release" >&2; exit 1; }}
chmod 755 .
sync -f .
if test -e {RELEASES}/$DIGEST; then mv -T {RELEASES}/$DIGEST "$stage.old"; fi
mv -T "$stage" {RELEASES}/$DIGEST
"""

SWITCH = f"""\
set -eu
cd {RELEASES}/$DIGEST
{{
  echo "$DIGEST  SHA256SUMS" | sha256sum --check --status
  sha256sum --check --strict --quiet SHA256SUMS
}} || {{ echo "the release $DIGEST was altered on this host" >&2; exit 1; }}
touch .
find {_ROOT} -maxdepth 1 -name '.switch-*' -mmin +60 -exec rm -rf {{}} + || :
stage=$(mktemp -d {_ROOT}/.switch-XXXXXX)
trap 'rm -rf "$stage"' EXIT
ln -s releases/$DIGEST "$stage/current"
mv -T "$stage/current" {CURRENT}
"""


@operation()
def release_present(
    release: Release, python: str
) -> Generator[FileUploadCommand | StringCommand, None, None]:
    """Have the release unpacked beside the others, whole, verified by its digest.

    One that is there but was altered or damaged is replaced.

    `python` is the path of the host's interpreter, which compiles the release once, so that no
    start of the server has to.
    """
    if host.get_fact(WholeRelease, digest=release.digest):
        host.noop(f"release {release.digest[:12]} is on the host")
        return
    # A name of its own, so that two runs at once do not write into one file.
    upload = f"{RELEASES}/.upload-{token_hex(8)}.tar.gz"
    yield FileUploadCommand(str(release.archive), upload)
    yield _shell(UNPACK, DIGEST=release.digest, UPLOAD=upload, PYTHON=python)


@operation()
def release_current(release: Release) -> Generator[StringCommand, None, None]:
    """Have `current` point to the release: one rename, after its content was verified again."""
    if host.get_fact(InstalledReleases).current == release.digest:
        host.noop(f"release {release.digest[:12]} is current")
        return
    yield _shell(SWITCH, DIGEST=release.digest)


@operation()
def old_releases_pruned(release: Release, kept: int) -> Generator[StringCommand, None, None]:
    """Keep the `kept` releases used last beside this one, to roll back to; remove the others."""
    old = [digest for digest in host.get_fact(InstalledReleases).present
           if digest != release.digest]  # fmt: skip
    for digest in old[kept:]:
        yield StringCommand("rm", "-rf", QuoteString(f"{RELEASES}/{digest}"))
    if not old[kept:]:
        host.noop("there is no release to remove")


@operation()
def key_ring(joining: bool = False) -> Generator[StringCommand, None, None]:
    """Have keys for server.yaml's algorithm, made on the host; what becomes of them is its own.

    `joining`: the first of them is published for a while before it signs.

    Owners and modes that were changed are put back: the account may have got another id since. The
    program's own lock decides between two runs at once, not the fact. It becomes the keys' owner by
    itself, when it has read what is root's: the PIN of a token.
    """
    if host.get_fact(ActiveKeyPair):
        host.noop("there is a signing key")
        return
    if joining and host.get_fact(WaitingKey):
        host.noop("there is a key that will sign")
        return
    # No link is followed. With protected_hardlinks nobody links to what isn't theirs.
    yield StringCommand(
        f"chown -hR oauth_user:oauth_group {KEYS} &&",
        "/usr/local/bin/oauth-server keys init" + (" --joining" if joining else ""),
    )


def _shell(template: str, **variables: str) -> StringCommand:
    return StringCommand("sh", "-c", QuoteString(script(template, **variables)))


def script(template: str, **variables: str) -> str:
    """The shell script with its variables set; values are digests and paths of ours."""
    return "".join(f"{name}={value}\n" for name, value in variables.items()) + template
