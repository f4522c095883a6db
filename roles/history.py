"""What the deploy wrote on a host, so that what somebody changed there is told of and kept."""

from __future__ import annotations

from shlex import quote

from pyinfra import host, logger

STATE = "/var/lib/portcullis"
KEPT = 10
"""As many versions of a file are kept; the oldest goes first."""

OURS = "ours"
_TELLING = {
    "edited": "was changed by hand since the deploy of {since}",
    "foreign": "was there before the first deploy, and is not the distribution's",
}

# A word for the content of "$path", whose SHA-256 is $sum: the deploy's, changed since, or there
# before. Debian's conffiles are known by their MD5, which dpkg or ucf wrote down. A deploy that
# noted nothing yet left `applied`, and whoever began to note left `.earlier`. Nearly always the
# answer is `ours`, so that one takes no process.
_ORIGIN = """\
record={state}/written"$path"
if test -f "$record"; then
  written= more=
  {{ read -r written; read -r more; }} < "$record"
  if test "$written $more" = "$sum "; then echo ours
  elif grep -qx "$sum" "$record"; then echo unfinished
  else echo "edited $(date -u -r "$record" +%Y-%m-%dT%H:%M:%SZ)"; fi
elif test -e {state}/written/.earlier || {{
  test -d {state}/applied && ! test -d {state}/written; }}; then echo earlier
else
  md5=$(md5sum < "$path" | cut -c 1-32)
  if grep -qsF " $path $md5" /var/lib/dpkg/status ||
    grep -qsxF "$md5  $path" /var/lib/ucf/hashfile ||
    {{ rpm -qf "$path" && ! rpm -Vf "$path" | grep "^..5.* $path\\$"; }} > /dev/null 2>&1
  then echo distribution; else echo foreign; fi
fi"""

# One at a time: what they write has one name, so a dead run leaves one part that the next takes.
# Killed between the note and the rename, or between the rename and the end: both contents are
# known as the deploy's then. What is kept is named after its last change: once more is the same.
_BEFORE = """\
state={state}
record="$state/written$target"
test -d $state || install -d -m 0755 $state
exec 8>> $state/.lock
flock 8
if ! test -d $state/written; then
  mkdir -p -m 0700 $state/.written
  if test -d $state/applied; then touch $state/.written/.earlier; fi
  mv -T $state/.written $state/written
fi
mkdir -p "${{record%/*}}"
was=none
if test -f "$target" && ! test -L "$target"; then was=$(sha256sum < "$target" | cut -c 1-64); fi
if test "$was" != {sha256} && {{ test -e "$target" || test -L "$target"; }} &&
  ! grep -qsx "$was" "$record"
then
  kept="$state/backups$target"
  mkdir -p "${{kept%/*}}"
  cp -pP "$target" "$kept.part"
  name="$kept.$(date -u -d @"$(stat -c %Y "$target")" +%Y%m%dT%H%M%SZ)"
  if test -e "$name" && ! cmp -s "$target" "$name"; then name="$name-$(echo $was | cut -c 1-8)"; fi
  mv -T "$kept.part" "$name"
  ls "$kept".2* | head -n -{kept} | xargs -r -d '\\n' rm -f
fi
{{ grep -sx "$was" "$record" || :; echo {sha256}; }} > "$record.new"
mv -T "$record.new" "$record"
"""
_AFTER = """\
echo {sha256} > "$record.new"
mv -T "$record.new" "$record"
"""


def origin() -> str:
    """Shell that prints whence the content of "$path" is, given its SHA-256 as $sum."""
    return _ORIGIN.format(state=quote(STATE))


def before(sha256: str) -> str:
    """Shell before "$target" gets the content with this digest: keeps what is not the deploy's.

    `sha256` may be a variable of the shell.
    """
    return _BEFORE.format(state=quote(STATE), sha256=sha256, kept=KEPT)


def after(sha256: str) -> str:
    """Shell once it has it."""
    return _AFTER.format(sha256=sha256)


def tell(path: str, origin: str) -> None:
    """Say what people should know before the file is replaced, if anything.

    It is said once: in the plan, or where none was made while it is carried out.
    """
    word, _, since = origin.partition(" ")
    told: set[str] = host.connector_data.setdefault("told_of_files", set())
    if word in _TELLING and path not in told:
        told.add(path)
        reason = _TELLING[word].format(since=since)
        host.log(
            f"{path} {reason}: it is replaced, and kept as {STATE}/backups{path}.<time>",
            logger.warning,
        )
