"""The policy module for nginx, given to semodule and a policy that is not its own.

No kernel of a lab has SELinux, so nothing here is enforced: it is Debian's reference policy that
takes the module, and rules that come out of it.
"""

from __future__ import annotations

import subprocess

from roles.files import render
from tests.deploy import running
from tests.lab.fixtures import MakeLab

_INSTALL = (
    "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends "
    "install selinux-policy-default policycoreutils setools"
)
_SEARCH = "sesearch -A -s httpd_t -t {target} -c {kind} /etc/selinux/default/policy/policy.*"

_SANDBOXED = "sesearch -A -s init_t -t {domain} -c process2 /etc/selinux/default/policy/policy.*"


def test_the_module_is_valid_and_lets_nginx_write_to_a_socket_in_run(make_lab: MakeLab) -> None:
    """Debian's policy lacks unconfined_service_t: the other two rules stand without the third."""
    lab = make_lab()

    def root(script: str, stdin: str = "") -> str:
        done = subprocess.run(
            [
                "ssh",
                "-F",
                lab.ssh_config,
                lab.hosts[0].name,
                f"sudo sh -ec {running.quoted(script)}",
            ],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    root(_INSTALL)
    written = _SEARCH.format(target="var_run_t", kind="sock_file")
    assert "write" not in root(written)
    root(
        "cat > /root/portcullis.cil && semodule -n -i /root/portcullis.cil",
        render("gateway/portcullis.cil.j2", upstreams=["192.0.2.2"]),
    )
    assert "allow httpd_t var_run_t:sock_file write;" in root(written)
    assert "connectto" in root(_SEARCH.format(target="init_t", kind="unix_stream_socket"))
    for domain in ("chronyd_t", "fail2ban_t", "httpd_t", "redis_t"):
        allowed = root(_SANDBOXED.format(domain=domain))
        assert {"nnp_transition", "nosuid_transition"} <= set(allowed.split()), domain
    # Where the role looks for it.
    assert root("ls -d /var/lib/selinux/*/active/modules/400/portcullis")
