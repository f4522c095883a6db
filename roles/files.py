"""Files of ours on a host: rendered here, checked there, and put in place by one rename."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from pathlib import Path
from shlex import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pyinfra import host, state
from pyinfra.api import HiddenValue, QuoteString, StringCommand
from pyinfra.operations.util.files import generate_color_diff

from roles import history
from roles.facts import MASKED, FileState, FileStates, FileText
from roles.questions import operation

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - configuration files, not HTML; values are validated before
)

# The candidate lies in a directory beside its target, so that the rename is atomic and the file
# has its own name while it is checked. The digest refuses an upload that was cut off half way,
# and a directory that a killed run left behind goes with a later one. find complains of what
# another run removes meanwhile.
_INSTALL = """\
set -eu
umask 077
target={target}
find "${{target%/*}}" -maxdepth 1 -name '.portcullis-*' -type d -mmin +60 -exec rm -rf {{}} + || :
stage=$(mktemp -d "${{target%/*}}/.portcullis-XXXXXX")
trap 'rm -rf "$stage"' EXIT
candidate="$stage/${{target##*/}}"
cat > "$candidate"
echo {sha256} "$candidate" | sha256sum --check --status || {{
  echo "the upload of $target was cut off" >&2; exit 1; }}
chmod {mode} "$candidate"
chown {owner} "$candidate"
{check}
sync "$candidate"
{before}mv -T "$candidate" "$target"
{after}"""

# For a file that is as it should be already.
_NOTE = """\
set -eu
umask 077
target={target}
{before}{after}"""


def render(template: str, **variables: object) -> str:
    """The text of `templates/<template>`; a variable it lacks is an error (jinja2's)."""
    return _ENVIRONMENT.get_template(template).render(**variables)


@operation()
def managed_file(
    path: str,
    content: str | HiddenValue,
    *,
    user: str = "root",
    group: str = "root",
    mode: str = "0644",
    check: str | None = None,
    mask: str | None = None,
) -> Generator[StringCommand, None, None]:
    """Keep a file with this content, owner and mode.

    `content` is text that ends with a newline. It travels on standard input: it is in no
    argument list and no temporary file that others can read. A `HiddenValue` is left out of
    `--diff` as well; of other text, what matches the extended regular expression `mask` is.

    `check` is shell code run as root beside the old file, with the new one at `$candidate`
    (same name, in the directory `$stage` that goes away afterwards): if it fails, the old file
    stays and the operation fails with what it printed.

    Content that the deploy did not write is kept under roles.history's STATE before it is
    replaced, and told of if somebody wrote it by hand.
    """
    text = content.unmask() if isinstance(content, HiddenValue) else content
    wanted = FileState(user, group, mode, hashlib.sha256(text.encode()).hexdigest())
    found = host.get_fact(FileStates, paths=[path]).get(path)
    note = {
        "target": quote(path),
        "before": history.before(wanted.sha256),
        "after": history.after(wanted.sha256),
    }
    if found == wanted:
        if found.origin == history.OURS:
            host.noop(f"{path} is as it should be")
        else:
            yield StringCommand("sh", "-c", QuoteString(_NOTE.format(**note)))
        return
    rewritten = found is None or found.sha256 != wanted.sha256
    if found is not None and rewritten:
        history.tell(path, found.origin)
    if state.config.DIFF and rewritten and isinstance(content, str):
        _print_diff(path, content, mask)
    script = _INSTALL.format(
        **note,
        sha256=wanted.sha256,
        mode=mode,
        owner=quote(f"{user}:{group}"),
        check=check or ":",
    )
    yield StringCommand("sh", "-c", QuoteString(script), _stdin=text)


def _print_diff(path: str, content: str, mask: str | None) -> None:
    before = host.get_fact(FileText, path=path, mask=mask)
    after = re.sub(mask, MASKED, content) if mask else content
    host.log(f"Will modify {path}")
    for line in generate_color_diff(before, after.splitlines()):
        host.log(f"  {line}")
