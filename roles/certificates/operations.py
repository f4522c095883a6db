"""A certificate and its key on a host, always one pair."""

from __future__ import annotations

from collections.abc import Callable, Generator

from pyinfra import host, logger
from pyinfra.api import QuoteString, StringCommand

from roles.certificates.facts import DIRECTORY, InstalledPair, sound_layout
from roles.certificates.local_ca import LocalCaSource
from roles.certificates.pair import CertificateError, Pair, PairSource
from roles.questions import operation, rehearsing

# A pair is complete on the disk before `active`, which both names lead through, is switched to it
# by one rename: whoever starts in between reads the old pair or the new one. A run that fails takes
# its pair away again; what a killed one left behind goes with the next. All but the sweeping is
# done by the account that owns the directory, so that nothing it may have linked there is written
# through with root's rights. The key comes last: an upload that was cut off has none that fits.
INSTALL = f"""\
set -eu
cd {DIRECTORY}
exec 9<.
flock 9
setpriv --reuid=oauth_user --regid=oauth_group --clear-groups sh -c '
set -eu
umask 077
pair=$(mktemp -d pair-XXXXXXXX)
trap "rm -rf $pair" EXIT
while IFS= read -r line; do
  case $line in
    "file "*) exec 3>"$pair/${{line#file }}" ;;
    *) printf "%s\\n" "$line" >&3 ;;
  esac
done
key=$(openssl pkey -in "$pair/server.key" -passin pass: -pubout)
[ "$key" = "$(openssl x509 -in "$pair/server.pem" -noout -pubkey)" ] || {{
  echo "the key does not fit the certificate: was the upload cut off?" >&2; exit 1; }}
chmod 0640 "$pair/server.pem"
chmod 0600 "$pair/server.key"
if [ -e "$pair/ca.pem" ]; then chmod 0644 "$pair/ca.pem"; fi
chmod 0750 "$pair"
sync "$pair"/* "$pair"
ln -s "$pair" "$pair/link"
mv -T "$pair/link" active
trap - EXIT
for name in server.pem server.key ca.pem; do
  if [ ! -e "$pair/$name" ]; then rm -f "$name"
  elif [ "$(readlink "$name")" != "active/$name" ]; then
    ln -s "active/$name" "$pair/link"
    mv -T "$pair/link" "$name"
  fi
done
'
active=$(readlink active)  # by itself: without an answer this must end, and not remove them all
find . -mindepth 1 -maxdepth 1 -name "pair-*" ! -name "$active" -exec rm -rf {{}} +
"""


@operation()
def installed_pair(source: PairSource) -> Generator[StringCommand, None, None]:
    """Keep a certificate of `source` in /etc/oauth2/certs: server.pem, server.key, ca.pem.

    The key travels on standard input, straight into a file that only its account can read.
    """
    found = host.get_fact(InstalledPair)
    sound = found.layout == sound_layout(with_ca=found.ca is not None)
    if sound and source.accepts(found.chain, found.ca):
        host.noop("the certificate is as it should be")
        return
    yield from installed(source.supply)


def installed(supply: Callable[[], Pair]) -> Generator[StringCommand, None, None]:
    """The commands that put a pair into the place of whatever is there."""
    # A plan ends at the first command: only a run that is carried out makes a key or a CA.
    yield StringCommand("install -d -o oauth_user -g oauth_group -m 0750", DIRECTORY)
    try:
        pair = supply()
    except CertificateError as error:
        # While pyinfra runs its operations, only a command that fails is no traceback.
        yield StringCommand("echo", QuoteString(str(error)), ">&2; exit 1")
        return
    yield StringCommand("sh", "-c", QuoteString(INSTALL), _stdin=_upload(pair))


@operation()
def encrypted_ca_key(source: LocalCaSource) -> Generator[StringCommand, None, None]:
    """Encrypt a CA's key that versions before this one have left plain; no host is concerned."""
    if not source.key_is_plain():
        host.noop("the CA's key is encrypted, or yet to be made")
        return
    if not rehearsing():
        host.log(
            "the key of the local CA lies on this machine without a passphrase: it gets the one of "
            "the inventory; copies of it elsewhere do not",
            logger.warning,
        )
    # As in installed_pair: a plan ends here, and what fails is a command.
    yield StringCommand("true")
    try:
        source.encrypt()
    except CertificateError as error:
        yield StringCommand("echo", QuoteString(str(error)), ">&2; exit 1")


def _upload(pair: Pair) -> str:
    files = {"ca.pem": pair.ca, "server.pem": pair.chain, "server.key": pair.key.unmask()}
    return "".join(f"file {name}\n{text}" for name, text in files.items() if text is not None)
