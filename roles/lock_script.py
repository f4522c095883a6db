"""What holds the deploy lock on a host: one program that lives as long as its run is heard of."""

LEASE = 30
"""Seconds after which a run that is not heard of has lost its lock, and its connection."""

_WAIT_FOR_LEFTOVERS = 300
"""Seconds that what a dead run left at work is waited for."""

# The kernel's lock ends with this program, and /run with the host. Who else could make the
# directory is root. What the script says, a line each:
#
#   held                    from now on
#   busy WHO<tab>SINCE      somebody else holds it; the script has ended
#   waiting NAME (process N), …   the dead run before left these at work
#   .                       heard
#
# It hears lines: `end` where every command of the run has ended, else anything. Where nothing is
# heard it ends the connection too: a run that comes back from a suspended machine must not go on
# with a lock that somebody else holds by then.
#
# A login session's cgroup tells what a dead run left at work: an apt-get lives on when its
# connection is cut. Where the host has no logind there is none, and nothing is waited for.
# What it changed and did not confirm (roles/guard.py) is undone before anything is looked at.
SCRIPT = f"""\
set -u
umask 077
mkdir -p /run/portcullis && cd /run/portcullis && exec 9>>deploy.lock || exit 1
who=unknown since=unknown scope=
known() {{ IFS=$'\\t' read -r who since scope < deploy.holder; }} 2>/dev/null
flock -w 1 9 || {{ known; printf 'busy %s\\t%s\\n' "$who" "$since"; exit 0; }}

disconnect() {{
  pid=$$
  while pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status") && test "${{pid:-0}}" -gt 1; do
    case $(cat "/proc/$pid/comm") in sshd*) kill "$pid"; exit 1;; esac
  done
  exit 1
}}
hear() {{
  said=
  IFS= read -r -t {LEASE} said
  case $? in 0) echo .;; 1) exit 0;; *) disconnect;; esac
}}
at_work() {{
  for file in $(grep -lsxF -- "$1" /proc/[0-9]*/cgroup); do
    pid=${{file#/proc/}} pid=${{pid%/cgroup}}
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
    case $name in sshd*) ;; *) printf '%s (process %s), ' "$name" "$pid";; esac
  done
}}

ours=$(grep -m1 '/session-[^/]*\\.scope$' /proc/self/cgroup)
known
if test -n "$scope" && test "$scope" != "$ours"; then
  until left=$(at_work "$scope"); test -z "$left" || test "$SECONDS" -ge {_WAIT_FOR_LEFTOVERS}; do
    echo "waiting ${{left%, }}"
    hear
  done
fi
if test -d guard; then systemctl start portcullis-guard.service || sh guard/restore; fi >&2
printf '%s\\t%s\\t%s\\n' "$WHO" "$(date '+%F %T %z')" "$ours" > .deploy.holder &&
  mv -T .deploy.holder deploy.holder || exit 1
echo held
until test "${{said-}}" = end; do hear; done
rm -f deploy.holder
"""
