"""The whole deploy, in order: pyinfra INVENTORY deploy.py."""

from pyinfra import host, inventory

from roles.base.facts import ServiceAccount
from roles.base.tasks import base
from roles.certificate_data import AcmeData
from roles.certificates.acme.layout import WEBROOT
from roles.certificates.acme.tasks import acme
from roles.certificates.tasks import certificates
from roles.chrony.tasks import chrony
from roles.fail2ban.tasks import fail2ban
from roles.fast_pyinfra import quicken
from roles.firewall.tasks import firewall
from roles.firewall.ufw import UfwRules
from roles.gateway.facts import HasIpv6
from roles.gateway.layout import LAYOUTS as GATEWAY
from roles.gateway.tasks import gateway
from roles.logrotate.tasks import logrotate
from roles.oauth_server.tasks import oauth_server
from roles.preflight import preflight
from roles.questions import rehearse
from roles.redis.layout import LAYOUTS as REDIS
from roles.redis.tasks import redis
from roles.sysctl.tasks import sysctl
from roles.sysctl.ufw import UfwSysctlFile

quicken()
data, target = preflight(inventory, host)

system = target.platform
by_acme = isinstance(data.certificates, AcmeData)


def roles() -> None:
    # First: packages, the account and the directories that the others stand on.
    base(target=target, more=("certbot",) if by_acme else ())
    # Before anything listens: a listener reads its limits once.
    sysctl(data=data.sysctl)
    # Before certificates and tokens, which carry times.
    chrony(data=data.chrony, platform=system)
    # Before those that serve them.
    certificate = certificates(data=data.certificates, issuer=data.oauth_server.issuer)
    # Before the server, which is ready only with its store.
    password = redis(data=data.redis, platform=system)
    # Before the gateway that leads to it.
    oauth_server(
        data=data.oauth_server,
        clients=data.clients,
        users=data.users,
        target=target,
        gateway_user=GATEWAY[system].user,
        redis_unit=REDIS[system].service,
        certificate=(certificate,),
        password=(password,),
        renewed_there=by_acme,
    )
    gateway(
        issuer=data.oauth_server.issuer,
        platform=system,
        after=(certificate,),
        challenges=WEBROOT if by_acme else None,
    )
    # After what it lets clients in to.
    firewall(platform=system, more=(80,) if by_acme else ())
    # After port 80 is open and answers.
    if isinstance(data.certificates, AcmeData):
        acme(data=data.certificates, issuer=data.oauth_server.issuer, platform=system)
    # After the server, whose log it rotates.
    logrotate(data=data.logrotate, platform=system)
    # Last: a jail whose log is missing stops the whole daemon.
    fail2ban(data=data.fail2ban, platform=system)


# Once to learn what they will ask, so that it is asked together, and once in earnest.
rehearse(host, roles, first=(ServiceAccount, UfwSysctlFile, HasIpv6, UfwRules))
roles()
