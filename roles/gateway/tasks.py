"""The gateway: nginx on 443, in front of the server's socket."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra import host, logger
from pyinfra.api import deploy
from pyinfra.api.operation import OperationMeta

from roles.drop_ins import drop_in
from roles.files import managed_file, render
from roles.gateway import page
from roles.gateway.facts import HasIpv6
from roles.gateway.layout import LAYOUTS
from roles.gateway.selinux import policy_loaded
from roles.platform import Platform
from roles.services import running

_CONFIG = "/etc/nginx/nginx.conf"
_CERTIFICATE = "/etc/oauth2/certs/server.pem"
_KEY = "/etc/oauth2/certs/server.key"

PAGES = ("/authorize", "/account", "/logout")
"""What people visit; all else is for programs."""


@dataclass(frozen=True)
class Upstream:
    """`address` is a server's host as in a URL. One that `waits` may not sign yet."""

    name: str
    address: str
    waits: bool


@deploy("gateway")
def gateway(
    issuer: str,
    platform: Platform,
    after: tuple[OperationMeta, ...] = (),
    challenges: str | None = None,
    upstreams: tuple[Upstream, ...] = (),
    ca_file: str | None = None,
) -> None:
    """`upstreams` are the servers, known by `ca_file`; without any it is the one of this host, by
    its socket.

    `after` are other roles' operations that make what nginx reads.

    `challenges` is the directory below which ACME's challenges lie, which port 80 is for. Who puts
    them there renews the certificate, too, and has nginx read it.
    """
    layout = LAYOUTS[platform]
    for upstream in upstreams:
        if upstream.waits:
            _tell(upstream.name)
    config = managed_file(
        name="Write nginx.conf [GW-01]",
        path=_CONFIG,
        content=render(
            "gateway/nginx.conf.j2",
            user=layout.user,
            http2_field_size=layout.http2_field_size,
            pages=PAGES,
            page=page.PAGE,
            style_hash=page.STYLE_HASH,
            name=issuer.removeprefix("https://"),
            ipv6=host.get_fact(HasIpv6),
            certificate=_CERTIFICATE,
            key=_KEY,
            challenges=challenges,
            upstreams=upstreams,
            ca_file=ca_file,
        ),
        check='nginx -t -q -c "$candidate"',
    )
    if platform.is_el:
        policy_loaded(
            name="Let nginx reach the server's socket where SELinux is on [GW-02]",
            text=render("gateway/portcullis.cil.j2", upstreams=upstreams),
        )
    confined = drop_in(
        "nginx.service",
        render("gateway/portcullis.conf.j2", systemd=platform.systemd),
        of="nginx's",
        control="SANDBOX-02",
    )
    running(
        name="Run nginx [GW-02]",
        service="nginx.service",
        feeds=[confined.path],  # of which a running process hears nothing
        after=(confined.written,),
        reloaded=[
            _CONFIG,
            *(() if challenges else (_CERTIFICATE, _KEY)),
            *([ca_file] if ca_file and upstreams else ()),
        ],
        reload_after=(*after, config),
    )


def _tell(server: str) -> None:
    told: set[str] = host.connector_data.setdefault("told_of_servers", set())
    if server not in told:
        told.add(server)
        host.log(
            f"{server} may not sign yet, and the gateway leads nobody to it: deploy again when it "
            "does (`oauth-server keys list` there says from when)",
            logger.warning,
        )
