"""The whole deploy, in order: pyinfra INVENTORY deploy.py."""

from pyinfra import host, inventory

from roles.base.tasks import base
from roles.certificates.tasks import certificates
from roles.chrony.tasks import chrony
from roles.fail2ban.tasks import fail2ban
from roles.gateway.tasks import gateway
from roles.logrotate.tasks import logrotate
from roles.oauth_server.tasks import oauth_server
from roles.preflight import preflight
from roles.redis.tasks import redis
from roles.sysctl.tasks import sysctl

data, target = preflight(inventory, host)

base(target)  # first: packages, the account and the directories that the others stand on
sysctl(data.sysctl, target.platform)  # before anything listens: listeners read their limits once
chrony(data.chrony, target.platform)  # before certificates and tokens, which carry times
certificates(data.certificates, data.oauth_server.issuer)  # before those that serve them
redis(data.redis, target.platform)  # before the server, which is ready only with its store
oauth_server(data.oauth_server, data.clients, target)  # before the gateway that leads to it
gateway(data.oauth_server.issuer, target.platform)
logrotate(data.logrotate, target.platform)  # after the server, whose log it rotates
fail2ban(data.fail2ban, target.platform)  # last: a jail whose log is missing stops the daemon
