"""The whole deploy, in order: pyinfra INVENTORY deploy.py."""

from pyinfra import host, inventory

from roles.base.facts import ServiceAccount
from roles.base.tasks import base
from roles.certificates.acme.layout import WEBROOT
from roles.certificates.acme.tasks import acme
from roles.certificates.tasks import certificates
from roles.chrony.tasks import chrony
from roles.fail2ban.tasks import GATEWAY as GUESSES
from roles.fail2ban.tasks import SERVER, fail2ban
from roles.fast_pyinfra import quicken
from roles.firewall.policy import packages as firewall_packages
from roles.firewall.survey import FirewallSurvey
from roles.firewall.tasks import firewall
from roles.firewall.ufw import UfwRules
from roles.gateway.facts import HasIpv6
from roles.gateway.layout import LAYOUTS as GATEWAY
from roles.gateway.tasks import Upstream, gateway
from roles.hostdata.certificates import AcmeData
from roles.logrotate.tasks import logrotate
from roles.oauth_server.fleet import Others, joiners
from roles.oauth_server.tasks import DistantStore, oauth_server, trusting
from roles.preflight import preflight
from roles.questions import rehearse
from roles.redis.layout import LAYOUTS as REDIS
from roles.redis.shared import password
from roles.redis.tasks import redis
from roles.sysctl.facts import OwnConntrack
from roles.sysctl.keeping import OwnValues
from roles.sysctl.tasks import sysctl
from roles.sysctl.ufw import UfwSysctlFile
from roles.topology import ca_file

quicken()
data, target, place = preflight(inventory, host)

system = target.platform
by_acme = isinstance(data.certificates, AcmeData)
fleet = place.fleet
known_by = ca_file(data, system)


def roles() -> None:
    # First: packages, the account and the directories that the others stand on.
    more = [*(["certbot"] if by_acme else []), *firewall_packages(system, data.firewall)]
    base(target=target, place=place, more=tuple(more))
    # Before anything listens: a listener reads its limits once.
    sysctl(data=data.sysctl)
    # Before certificates and tokens, which carry times.
    chrony(data=data.chrony, platform=system, reported=place.is_server)
    # Before those that serve them.
    certificate = certificates(data=data.certificates, issuer=data.oauth_server.issuer)
    joining = joiners(fleet.servers) if fleet else frozenset()
    # Before the Redis that learns its hash.
    own = []
    if fleet and place.is_server:
        own.append(password(name="Make the server's password [STATE-03]"))
    # Before the servers, on whichever hosts, which are ready only with their store.
    if place.is_state:
        users = redis(
            data=data.redis,
            platform=system,
            servers=tuple(server.name for server in fleet.servers) if fleet else (),
            clients=tuple(server.address for server in place.redis_clients),
        )
        own.append(users)
    # Before the gateways that lead to it.
    if place.is_server:
        oauth_server(
            data=trusting(data.oauth_server, place),
            clients=data.clients,
            users=data.users,
            target=target,
            gateway_user=GATEWAY[system].user if place.is_gateway else "root",
            redis_unit=REDIS[system].service if place.is_state else None,
            certificate=(certificate,),
            password=tuple(own),
            renewed_there=by_acme,
            store=DistantStore.of(place, data.oauth_server.issuer, known_by),
            others=Others(fleet.servers, known_by, joining) if fleet else None,
        )
    if place.is_gateway:
        gateway(
            issuer=data.oauth_server.issuer,
            platform=system,
            after=(certificate,),
            challenges=WEBROOT if by_acme else None,
            upstreams=tuple(
                Upstream(server.name, server.in_url, waits=server.name in joining)
                for server in place.upstreams
            ),
            ca_file=known_by,
        )
    # After what it lets clients in to.
    firewall(platform=system, place=place, data=data.firewall, more=(80,) if by_acme else ())
    # After port 80 is open and answers.
    if isinstance(data.certificates, AcmeData):
        acme(data=data.certificates, issuer=data.oauth_server.issuer, platform=system)
    if place.is_server:
        # After the server, whose log it rotates.
        logrotate(data=data.logrotate, platform=system)
    if place.is_server or place.is_gateway:
        # Last: a jail whose log is missing stops the whole daemon.
        fail2ban(
            data=data.fail2ban,
            platform=system,
            gateways=tuple(gateway.address for gateway in place.proxies),
            logs=(
                *((SERVER,) if place.is_server else ()),
                *((GUESSES,) if place.upstreams else ()),
            ),
        )


# Once to learn what they will ask, so that it is asked together, and once in earnest.
asked = (ServiceAccount, OwnConntrack, OwnValues, UfwSysctlFile, HasIpv6, UfwRules, FirewallSurvey)
rehearse(host, roles, first=asked)
roles()
