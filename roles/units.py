"""How a candidate of a unit file is checked before it takes its place."""

# systemd only warns of a key that it doesn't know, so a word about the candidate is a failure.
VERIFY = """\
said=$(systemd-analyze verify --man=no "$candidate" 2>&1) || { echo "$said" >&2; exit 1; }
case "$said" in *"$candidate"*) echo "$said" >&2; exit 1;; esac"""
