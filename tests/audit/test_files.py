"""FILES: nobody changes or replaces a file that the deploy manages, at any height of its path."""

from __future__ import annotations

import pytest

from tests.audit.ownership import replaceable, walk
from tests.audit.subject import Answer, Subject
from tests.audit.verdict import must_equal, must_hold

_MANAGED = (
    "/etc/chrony/chrony.conf",
    "/etc/chrony.conf",
    "/etc/default/chrony",
    "/etc/fail2ban/filter.d/oauth-server.conf",
    "/etc/fail2ban/jail.d/oauth-server.conf",
    "/etc/logrotate.d/oauth-server",
    "/etc/nginx/nginx.conf",
    "/etc/oauth2",
    "/etc/redis/redis.conf",
    "/etc/redis/users.acl",
    "/etc/sysconfig/chronyd",
    "/etc/sysctl.d/zz-portcullis.conf",
    "/etc/systemd/system/oauth-*",
    "/etc/systemd/system/*/portcullis.conf",
    "/opt/oauth-server",
    "/usr/local/bin/oauth-server",
    "/var/lib/oauth-server",
    # What is kept beside them has its former owner, behind a door that root alone opens.
    "/var/lib/portcullis/applied",
    "/var/lib/portcullis/written",
    "/var/log/oauth_server.log*",
)
_INTERPRETER = r"sed -n 's/^exec \([^ ]*\) .*/\1/p' /usr/local/bin/oauth-server"
_LIBRARY = "import os; print(os.path.dirname(os.__file__))"

QUESTIONS = {
    "managed": walk(*_MANAGED),
    "interpreter": f"python=$({_INTERPRETER}) && "
    f"library=$($python -I -S -c '{_LIBRARY}') && {walk('$python', '$library')}",
}


def _settings(subject: Subject) -> set[str]:
    return {"/etc/oauth2/server.yaml"} if subject.is_server else set()


@pytest.mark.control("FILES-01")
def test_nobody_else_can_change_or_replace_a_managed_file(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """A file is only as safe as each directory that leads to it."""
    states = answers["managed"].states
    must_hold(
        "the managed files must be there",
        {"/opt/oauth-server/releases", "/", *_settings(subject)} <= states.keys(),
        expected="server.yaml (of a server), the releases and all above them",
        seen=f"{len(states)} paths",
    )
    must_equal(
        "files and directories that somebody else can change",
        seen=replaceable(states),
        expected={},
    )


@pytest.mark.control("FILES-01")
@pytest.mark.group("auth_servers")
def test_nobody_else_can_replace_the_interpreter(answers: dict[str, Answer]) -> None:
    """The program is what its interpreter makes of it."""
    states = answers["interpreter"].states
    must_hold(
        "the server's interpreter must be there",
        any("/python3" in path for path in states),
        expected="the Python that /usr/local/bin/oauth-server names",
        seen=", ".join(states) or "nothing",
    )
    must_equal("what somebody else can change of it", seen=replaceable(states), expected={})
