"""The whole job on a lab: deploy, audit, a token, a login, and what to try next."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.lab import access_token, console, description, naming, places
from tests.lab import lab as labs
from tests.lab.code_flow import CodeFlow
from tests.lab.machine import WITH_US, LabError
from tests.lab.record import LabRecord


def tour(lab: str, kinds: list[str] | None) -> None:
    """Bring the lab up, deploy to it, audit it, fetch a token and log in.

    Raises LabError at what fails.
    """
    console.heading(f"Lab hosts for {lab!r}")
    known = labs.up(lab, kinds)
    console.heading("Deploy, over SSH")
    deploy(lab)
    console.heading("Audit")
    result = audit(lab)
    console.heading("A token")
    token = access_token.fetch_verified(lab_json(lab))
    console.heading("A login, with consent, a code and its tokens")
    login = logged_in(lab)
    console.heading("Done")
    print(summary(known, result, token, login))


def logged_in(lab: str) -> list[str]:
    """Go through the code flow once, and tell how to do it in a browser; raises LabError."""
    flow = CodeFlow(description.read(lab_json(lab)))
    try:
        tokens = flow.redeem(flow.allow(flow.log_in(flow.ask())))
        flow.revoke(tokens["refresh_token"])
        return [
            f"  user {flow.user['username']}, password {flow.user['password']}",
            f"  {flow.url}",
        ]
    finally:
        flow.close()


def deploy(lab: str) -> None:
    """Run the deploy on every host of the lab; its output goes where this process's goes."""
    argv = [*WITH_US, sys.executable, "-m", "pyinfra", "-y", "inventories/lab.py", "deploy.py"]
    done = subprocess.run(argv, cwd=places.CHECKOUT, env=_environment(lab), check=False)
    if done.returncode != 0:
        raise LabError("the deploy failed: its first error above says where")


def audit(lab: str) -> str:
    """Audit every host of the lab and give the result in one line; a failure is shown whole."""
    argv = [*WITH_US, sys.executable, "-m", "pytest", "-q", "tests/audit", *audit_options(lab)]
    done = subprocess.run(
        argv,
        cwd=places.CHECKOUT,
        env=_environment(lab),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        raise LabError("the audit found what is not as it should be, or could not run: see above")
    return verdict(done.stdout)


def verdict(report: str) -> str:
    """Give what pytest's report of an audit says of each host, and of all checks, in one line."""
    by_host = re.findall(r"controls of (\S+) =*\n(\d+ of \d+ controls met)$", report, re.MULTILINE)
    checks = report.strip().splitlines()[-1].strip("= ")
    return "; ".join([*(f"{host}: {met}" for host, met in by_host), checks])


def audit_options(lab: str) -> list[str]:
    known = labs.standing(lab)
    directory = places.described(places.CHECKOUT, lab)
    hosts = ",".join(host.name for host in known.hosts)
    described = description.read(directory / "lab.json")
    return [
        f"--hosts={hosts}",
        f"--ssh-config={described['ssh_config']}",
        "--sudo",
        f"--ca-file={described['ca_file']}",
        f"--probe-client={described['confidential_client']['client_id']}",
    ]


def lab_json(lab: str) -> Path:
    return places.described(places.CHECKOUT, labs.standing(lab).name) / "lab.json"


def token_report(token: access_token.VerifiedToken) -> list[str]:
    """Show a verified token's header and claims, a line each."""
    named = {
        **{f"header {key}": token.header[key] for key in ("alg", "typ", "kid")},
        **token.claims,
    }
    width = max(map(len, named))
    return [f"  {key:<{width}}  {value}" for key, value in named.items()]


def summary(
    known: LabRecord, result: str, token: access_token.VerifiedToken, login: list[str]
) -> str:
    """Say what stands where, what was proved, and what to try next."""
    directory = places.described(places.CHECKOUT, known.name).relative_to(places.CHECKOUT)
    lines = ["Hosts (user deploy, passwordless sudo):"]
    lines += [f"  {host.name}  {host.kind}  https://{host.address}" for host in known.hosts]
    lines += [
        "On each: nginx on 443 and the server on 8443, TLS 1.3 only; Redis on a unix socket;",
        "  chrony, Fail2Ban, logrotate; settings and keys in /etc/oauth2.",
        "On this machine:",
        f"  {directory}/lab.json    hosts, issuer, clients and user, for programs",
        f"  {directory}/ssh_config  for ssh -F; the key and the known host keys lie beside it",
        f"  {directory}/ca/ca.pem   the CA that the hosts' certificates come from",
        f"Audit: {result}",
        f"Token from {token.claims['iss']}, verified with the host's public key:",
        *token_report(token),
        "Log in with a browser (it ends at the app, which is not there, with the code in its URL):",
        *login,
        "Try next:",
        *(f"  {command}" for command in next_commands(known)),
        f"{_make(known, 'lab-down')} removes all of it.",
    ]
    return "\n".join(lines)


def next_commands(known: LabRecord) -> list[str]:
    """Give four commands that work from the checkout as they stand."""
    json_of = places.described(places.CHECKOUT, known.name) / "lab.json"
    default = known.name == naming.DEFAULT_LAB
    variable = "" if default else f"PORTCULLIS_LAB_JSON={json_of.relative_to(places.CHECKOUT)} "
    return [
        f"{_make(known, 'lab-ssh')} HOST={known.hosts[0].name}",
        f"{_make(known, 'lab-token')}",
        f"{_make(known, 'lab-login')}",
        f"{variable}.venv/bin/pyinfra --dry inventories/lab.py deploy.py",
    ]


def _make(known: LabRecord, target: str) -> str:
    return f"make {target}" + ("" if known.name == naming.DEFAULT_LAB else f" LAB={known.name}")


def _environment(lab: str) -> dict[str, str]:
    """Name the lab to the inventory, and to the audit the secret that no argument may show."""
    described = lab_json(lab)
    secret = description.read(described)["confidential_client"]["client_secret"]
    return {
        **os.environ,
        "PORTCULLIS_LAB_JSON": str(described),
        "PROBE_CLIENT_SECRET": secret,
    }
