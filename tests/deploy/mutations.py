"""Ways to break a deployed host, each with the controls that then no longer hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from shlex import quote


@dataclass(frozen=True)
class Mutation:
    """Shell that breaks what `controls` hold, as root on the host, and shell that undoes it."""

    name: str
    controls: str
    damage: str
    repair: str


def _mode(control: str, path: str, wrong: str, right: str) -> Mutation:
    name = f"{path.rpartition('/')[2]} has mode {wrong}"
    return Mutation(name, control, f"chmod {wrong} {path}", f"chmod {right} {path}")


def _setting(control: str, key: str, wrong: int, right: int) -> Mutation:
    return Mutation(
        f"{key} is {wrong}", control, f"sysctl -qw {key}={wrong}", f"sysctl -qw {key}={right}"
    )


def _edit(control: str, path: str, expression: str, then: str = "true") -> Mutation:
    """`then` follows the edit and the repair."""
    kept = f"/root/kept-{control.replace(' ', '-')}"
    edited = f"cp -a {path} {kept} && sed -i {quote(expression)} {path} && ! cmp -s {path} {kept}"
    return Mutation(
        f"{path.rpartition('/')[2]} is edited by {expression}",
        control,
        f"{edited} && {then}",
        f"cp -a {kept} {path} && rm {kept} && {then}",
    )


def _disabled(control: str, unit: str) -> Mutation:
    return Mutation(
        f"{unit} is disabled",
        control,
        f"systemctl -q disable {unit}",
        f"systemctl -q enable {unit}",
    )


def _added(controls: str, name: str, command: str, path: str) -> Mutation:
    return Mutation(name, controls, command, f"rm -rf {path}")


def _drop_in(control: str, unit: str, lines: str, then: str = "true") -> Mutation:
    """A drop-in that is read after ours; `then` follows it, and its removal."""
    directory = f"/etc/systemd/system/{unit}.service.d"
    text = quote(f"[Service]\n{lines}\n")
    return Mutation(
        f"{unit} is loosened by {lines.splitlines()[0]}",
        control,
        f"mkdir -p {directory} && printf %s {text} > {directory}/zz-{control}.conf && "
        f"systemctl daemon-reload && {then}",
        f"rm {directory}/zz-{control}.conf; rmdir --ignore-fail-on-non-empty {directory}; "
        f"systemctl daemon-reload && {then}",
    )


# acl(5) as the kernel stores it: tag, rights and id of each entry. user::rwx, user:deploy:rwx,
# group::r-x, mask::rwx, other::r-x. A host need not have setfacl.
_LET_DEPLOY_WRITE = """
import os, pwd, struct, sys
none, deploy = 2**32 - 1, pwd.getpwnam("deploy").pw_uid
entries = (1, 7, none), (2, 7, deploy), (4, 5, none), (16, 7, none), (32, 5, none)
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
"""
_FORBID_IT_AGAIN = "import os, sys; os.removexattr(sys.argv[1], 'system.posix_acl_access')"


def _told(leap: str) -> str:
    """Until the report of the clock says so."""
    report = "/run/oauth-clock/tracking"
    return f"for _ in $(seq 300); do grep -qs '{leap}$' {report} && exit; sleep 0.1; done; exit 1"


_CERTS = "/etc/oauth2/certs"
_CHRONY = "/etc/chrony/chrony.conf"
_JAILS = "/etc/fail2ban/jail.d"
_KEYS = "/etc/oauth2/keys"
_RELEASE = "/opt/oauth-server/current"
_INIT = f"{_RELEASE}/oauth_server/__init__.py"
_NGINX = "/etc/nginx/nginx.conf"
_RELOAD_NGINX = "nginx -s reload && sleep 0.5"

_PLAIN = _edit(
    "SRV-04 TLS-07",
    _NGINX,
    "s#^http {#&\\nserver { listen 80; return 301 https://x/; }#",
    _RELOAD_NGINX,
)

MUTATIONS = [
    Mutation(
        "the service account has a shell",
        "BASE-01",
        "usermod -s /bin/sh oauth_user",
        "usermod -s /usr/sbin/nologin oauth_user",
    ),
    Mutation(
        "somebody else is in the service account's group",
        "BASE-01",
        "gpasswd -a deploy oauth_group > /dev/null",
        "gpasswd -d deploy oauth_group > /dev/null",
    ),
    Mutation(
        "another account is the service account",
        "BASE-01",
        "useradd -o -M -u $(id -u oauth_user) -g nogroup twin",
        "userdel -f twin",
    ),
    Mutation(
        "the service account has a home",
        "BASE-01",
        "install -d -o oauth_user /nonexistent",
        "rmdir /nonexistent",
    ),
    _mode("BASE-02 FILES-01", "/opt/oauth-server/releases", "777", "755"),
    _mode("FILES-01", "/etc/systemd", "777", "755"),
    _mode("FILES-01 LOG-02", "/var/log", "777", "755"),
    _mode("FILES-01", "/etc/oauth2/keys/ring", "773", "711"),
    _mode("FILES-01", "/usr/lib/python3.11/encodings", "775", "755"),
    Mutation(
        "a release is somebody else's",
        "FILES-01 SRV-01",
        f"chown deploy {_INIT}",
        f"chown root {_INIT}",
    ),
    Mutation(
        "an access control list lets somebody write",
        "FILES-01",
        f"python3 -c {quote(_LET_DEPLOY_WRITE)} {_JAILS}",
        f"python3 -c {quote(_FORBID_IT_AGAIN)} {_JAILS} && chmod 755 {_JAILS}",
    ),
    _drop_in(
        "SANDBOX-01",
        "oauth-server",
        "ProtectSystem=no\nProtectHome=no\nPrivateNetwork=no\nPrivateUsers=no\nSystemCallFilter=",
    ),
    _drop_in("SANDBOX-02", "nginx", "CapabilityBoundingSet=~\nNoNewPrivileges=no"),
    _drop_in(
        "SANDBOX-02",
        "fail2ban",
        "SystemCallFilter=\nProtectSystem=no\nRestrictNamespaces=no\n"
        "PrivateDevices=no\nCapabilityBoundingSet=~",
    ),
    _drop_in("SANDBOX-03", "nginx", "LimitCORE=infinity", "systemctl restart nginx"),
    _setting("NET-01", "net.ipv4.tcp_syncookies", 0, 1),
    _setting("NET-02", "net.core.somaxconn", 128, 4096),
    _setting("NET-02", "net.ipv4.tcp_synack_retries", 5, 3),
    _setting("NET-03", "net.ipv4.conf.lo.send_redirects", 1, 0),
    _setting("NET-04", "net.ipv4.conf.default.rp_filter", 0, 1),
    _setting("NET-05", "net.ipv4.conf.default.accept_source_route", 1, 0),
    _setting("NET-06", "net.ipv4.conf.all.log_martians", 0, 1),
    _setting("NET-10", "net.ipv4.tcp_rfc1337", 0, 1),
    _added(
        "NET-07",
        "a later file switches SYN cookies off",
        "echo net/ipv4/tcp_syncookies=0 > /etc/sysctl.d/zzz.conf",
        "/etc/sysctl.d/zzz.conf",
    ),
    Mutation(
        "a limit by source is gone",
        "NET-08",
        "nft flush chain inet portcullis opened",
        "systemctl reload portcullis-firewall",
    ),
    _disabled("NET-08", "portcullis-firewall.service"),
    Mutation(
        "the table lets everybody in",
        "NET-08 NET-09",
        "nft chain inet portcullis entrance '{ policy accept ; }'",
        "systemctl reload portcullis-firewall",
    ),
    _edit("TIME-01", "/etc/chrony/chrony.conf", "s/^server/#server/"),
    _disabled("TIME-02", "chrony.service"),
    Mutation(
        "no source answers",
        "TIME-03 TIME-04",
        f"cp -a {_CHRONY} /root/kept-sources && "
        f"sed -i 's/^server .*/server 192.0.2.1/' {_CHRONY} && "
        f"systemctl restart chrony && {_told('Not synchronised')}",
        f"cp -a /root/kept-sources {_CHRONY} && rm /root/kept-sources && "
        f"systemctl restart chrony && {_told('Normal')}",
    ),
    Mutation(
        "nobody reports the clock's state",
        "TIME-04",
        "systemctl stop oauth-clock",
        f"systemctl start oauth-clock && {_told('Normal')}",
    ),
    _mode("TLS-01", f"{_CERTS}/server.key", "640", "600"),
    _edit("TLS-09", _NGINX, "s/max-age=63072000/max-age=0/", _RELOAD_NGINX),
    _edit("TLS-10", _NGINX, "s/ssl_session_tickets off/ssl_session_tickets on/", _RELOAD_NGINX),
    _edit("TLS-11", _NGINX, "s/server_tokens off/server_tokens on/", _RELOAD_NGINX),
    # The firewall would keep it from everybody.
    replace(
        _PLAIN,
        controls="NET-08 SRV-04 TLS-07",
        damage=f"nft insert rule inet portcullis entrance tcp dport 80 accept && {_PLAIN.damage}",
        repair=f"{_PLAIN.repair} && systemctl reload portcullis-firewall",
    ),
    _added(
        "TLS-08",
        "a CA's key lies there",
        f"cp -aL {_CERTS}/server.key {_CERTS}/ca.key",
        f"{_CERTS}/ca.key",
    ),
    Mutation(
        "a stranger's certificate follows in the chain",
        "TLS-06",
        f"cp -a {_CERTS}/active/server.pem /root/kept-chain && openssl req -x509 -newkey ec "
        "-pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=stranger -days 365 "
        f">> {_CERTS}/active/server.pem 2>/dev/null",
        f"cp -a /root/kept-chain {_CERTS}/active/server.pem && rm /root/kept-chain",
    ),
    _edit("TLS-03", _NGINX, "s/ssl_protocols TLSv1.3/& TLSv1.2/", _RELOAD_NGINX),
    _mode("STATE-01", "/run/redis/redis.sock", "777", "770"),
    _edit("STATE-02", "/etc/redis/redis.conf", "s/^appendonly yes/appendonly no/"),
    _edit("STATE-03", "/etc/redis/users.acl", "$a user eve on nopass ~* +@all"),
    _disabled("STATE-04", "redis-server.service"),
    _edit("SRV-01", _INIT, "$a import os"),
    _added(
        "SRV-01",
        "a module is added",
        f"touch {_RELEASE}/sitecustom.py",
        f"{_RELEASE}/sitecustom.py",
    ),
    Mutation(
        "bytecode is replaced",
        "SRV-01",
        f"cd {_RELEASE}/oauth_server/__pycache__ && cp -a errors.*.pyc /root/kept-pyc && "
        "cp models.*.pyc errors.*.pyc",
        f"cd {_RELEASE}/oauth_server/__pycache__ && mv /root/kept-pyc errors.*.pyc",
    ),
    _mode("SRV-02", "/etc/oauth2/clients.json", "644", "640"),
    _disabled("SRV-03", "oauth-server.service"),
    Mutation(
        "a stranger listens",
        "SRV-04",
        "systemd-run -q --unit=stranger python3 -m http.server 9999 && "
        "until ss -Hltn | grep -q :9999; do sleep 0.05; done",
        "systemctl stop stranger",
    ),
    _edit(
        "SRV-05 LOGIN-01",
        _NGINX,
        "s#proxy_pass .*/.well-known/oauth-authorization-server;#return 200 '{}';#",
        _RELOAD_NGINX,
    ),
    _mode("SRV-07", "/etc/oauth2/users.json", "644", "640"),
    Mutation(
        "metrics are open to the network",
        "SRV-04 SRV-08",
        "systemd-run -q --unit=open-metrics python3 -m http.server --bind $(hostname -I | "
        "cut -d' ' -f1) 9464 && until ss -Hltn | grep -c :9464 | grep -q 2; do sleep 0.05; done",
        "systemctl stop open-metrics",
    ),
    _edit(
        "SRV-08",
        _NGINX,
        "s#location = /health/live {#location = /metrics { return 200; }\\n&#",
        _RELOAD_NGINX,
    ),
    _edit(
        "LOGIN-01",
        _NGINX,
        "s#proxy_pass .*sock:/authorize;#return 303 http://127.0.0.1/callback?code=x;#",
        _RELOAD_NGINX,
    ),
    _edit(
        "LOGIN-02",
        _NGINX,
        "s#proxy_pass .*sock:/account;#proxy_hide_header Content-Security-Policy; &#",
        _RELOAD_NGINX,
    ),
    _edit(
        "LOGIN-03",
        _NGINX,
        "s#proxy_pass .*sock:/account;#proxy_cookie_flags ~ nosecure; &#",
        _RELOAD_NGINX,
    ),
    _mode("KEY-01", _KEYS, "755", "711"),
    _mode("KEY-02", f"{_KEYS}/private_key.pem", "640", "600"),
    _added(
        "KEY-03",
        "a key is added",
        f"cp -a {_KEYS}/ring/active/ {_KEYS}/ring/new",
        f"{_KEYS}/ring/new",
    ),
    _disabled("KEY-04", "oauth-key-rotate.timer"),
    Mutation(
        "the last rotation failed",
        "KEY-04",
        "mv /etc/oauth2/server.yaml /root/kept-yaml && "
        "! systemctl start oauth-key-rotate.service 2> /dev/null; "
        "mv /root/kept-yaml /etc/oauth2/server.yaml",
        "systemctl reset-failed oauth-key-rotate.service",
    ),
    # Stopped, or the timer would find it overdue, too.
    Mutation(
        "the key is old and nobody rotates it",
        "KEY-04 KEY-05",
        "systemctl stop oauth-key-rotate.timer && "
        f"cp -a {_KEYS}/ring /root/kept-ring && for file in {_KEYS}/ring/*/times.json; do "
        """sed -i 's/"\\(activated\\|created\\)":"..../"\\1":"2020/g' $file; done""",
        f"for file in {_KEYS}/ring/*/times.json; do kid=${{file%/times.json}}; "
        "cp -a /root/kept-ring/${kid##*/}/times.json $file; done; rm -r /root/kept-ring; "
        "systemctl start oauth-key-rotate.timer",
    ),
    Mutation(
        "the store was not told of an emergency",
        "KEY-06",
        'printf %s \'{"removed":[{"kid":"k","algorithm":"ES256","reason":"emergency",'
        '"created":"2026-01-01T00:00:00Z","removed":"2026-01-01T00:00:00Z","revoked":false}]}\' '
        f"> {_KEYS}/removed.json",
        f"rm {_KEYS}/removed.json",
    ),
    Mutation(
        "a private key is in an environment",
        "KEY-07",
        "systemd-run -q --unit=leak --setenv=KEY='-----BEGIN PRIVATE KEY-----' sleep 600",
        "systemctl stop leak",
    ),
    _added(
        "KEY-08", "a PIN lies about", "echo 4711 > /etc/oauth2/pkcs11.pin", "/etc/oauth2/pkcs11.pin"
    ),
    _edit("GW-01", _NGINX, "s/For $remote_addr/For $proxy_add_x_forwarded_for/"),
    _disabled("GW-02", "nginx.service"),
    # The jail still runs with the old one, which is a fault of its own.
    _edit(
        "BAN-01 BAN-02",
        "/etc/fail2ban/filter.d/oauth-server.conf",
        "s/400 invalid_grant/40[03] [a-z_]+/",
    ),
    Mutation(
        "the jail is stopped",
        "BAN-02",
        "fail2ban-client stop oauth-server > /dev/null",
        "fail2ban-client reload > /dev/null",
    ),
    _mode("LOG-01", "/var/log/oauth_server.log", "644", "640"),
    _edit("LOG-02", "/etc/logrotate.d/oauth-server", "s/^    compress/    copytruncate/"),
    # Last, because nginx reloads nothing with a key that does not fit.
    Mutation(
        "the key is another one's",
        "TLS-02",
        f"cp -a {_CERTS}/active/server.key /root/kept-key && openssl genpkey -algorithm EC "
        f"-pkeyopt ec_paramgen_curve:P-256 > {_CERTS}/active/server.key 2>/dev/null",
        f"cp -a /root/kept-key {_CERTS}/active/server.key && rm /root/kept-key",
    ),
]
