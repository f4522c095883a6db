"""Options, and the fixtures that the checks look at a host through.

pytest tests/audit --hosts=NAME,… --ssh-config=FILE --sudo --ca-file=FILE
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.audit import controls, groups
from tests.audit.subject import Answer, Subject, UnreachableError, address_of
from tests.audit.tls import Client
from tests.audit.verdict import not_checked

_SUBJECTS = pytest.StashKey[dict[str, Subject]]()


@dataclass(frozen=True)
class ProbeClient:
    """A registered client that may have a token for the audit's sake."""

    client_id: str
    client_secret: str
    scope: str | None


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("audit")
    group.addoption("--issuer", help="the issuer's URL (default: from the host's server.yaml)")
    group.addoption(
        "--groups",
        default=",".join(groups.ALL),
        help="what the hosts are, of auth_servers, gateways, state (default: all three)",
    )
    group.addoption("--ca-file", help="PEM of the CA to trust (default: the system's)")
    group.addoption(
        "--probe-client",
        metavar="CLIENT_ID",
        help="fetch a token as this client; its secret is read from PROBE_CLIENT_SECRET",
    )
    group.addoption("--probe-scope", help="the scope to ask for (default: all of the client's)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SUBJECTS] = {}
    if not _is_the_audit(config):
        return
    if not config.option.hosts:
        # testinfra's default is the machine that it runs on, which nobody meant.
        raise pytest.UsageError("the audit needs hosts: --hosts=NAME[,NAME…] (see docs/audit.md)")
    # paramiko, testinfra's default, goes on when a host's key is not the known one.
    config.option.connection = config.option.connection or "ssh"
    if config.option.probe_client and not os.environ.get("PROBE_CLIENT_SECRET"):
        raise pytest.UsageError("--probe-client needs its secret in PROBE_CLIENT_SECRET")
    ca_file = config.option.ca_file
    if ca_file and not Path(ca_file).is_file():
        raise pytest.UsageError(f"--ca-file: {ca_file} is not there")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the audit out of a run of all tests, which names no host."""
    return None if _is_the_audit(config) else collection_path.name.startswith("test_")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for other hosts, and let a report name host, control and references."""
    if _is_the_audit(config):
        here = groups.parsed(config.option.groups)
        others = [item for item in items if not groups.concerns(item, here)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters is None or "_testinfra_host" not in parameters.params:
            continue
        host = parameters.params["_testinfra_host"].backend.get_hostname()
        item.user_properties.append(("host", host))
        for mark in item.iter_markers("control"):
            control = controls.load()[mark.args[0]]
            item.user_properties += [("control", control.id), ("title", control.title)]
            item.user_properties += [("reference", reference) for reference in control.references]


def _is_the_audit(config: pytest.Config) -> bool:
    """Whether the run was told to look here, and not only at all tests."""
    here = Path(__file__).parent
    places = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return any(place.is_relative_to(here) for place in places)


@pytest.fixture(scope="module")
def subject(host: Any, request: pytest.FixtureRequest) -> Subject:
    """The host under audit."""
    subjects = request.config.stash[_SUBJECTS]
    key = host.backend.get_pytest_id()
    if key not in subjects:
        option = request.config.option
        # Every selected file's questions at once: one connection for the whole audit of a host.
        modules = {
            item.module for item in request.session.items if isinstance(item, pytest.Function)
        }
        questions = {
            module.__name__: module.QUESTIONS for module in modules if hasattr(module, "QUESTIONS")
        }
        subjects[key] = Subject(
            host,
            questions,
            option.issuer,
            address_of(host.backend.get_hostname(), option.ssh_config),
            groups.parsed(option.groups),
        )
    try:
        subjects[key].answers("")
    except UnreachableError as error:
        reason = str(error)
    else:
        return subjects[key]
    pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="module")
def answers(subject: Subject, request: pytest.FixtureRequest) -> dict[str, Answer]:
    """The answers to the file's QUESTIONS."""
    return subject.answers(request.module.__name__)


@pytest.fixture(scope="module")
def client(subject: Subject, request: pytest.FixtureRequest) -> Client:
    """Verified TLS 1.3 to the host, under the issuer's name."""
    try:
        port = 443 if subject.is_gateway else 8443
        return Client(subject.address, subject.issuer_host, request.config.option.ca_file, port)
    except OSError as error:
        pytest.fail(f"--ca-file holds no certificate: {error}", pytrace=False)


@pytest.fixture(scope="module")
def probe(request: pytest.FixtureRequest) -> ProbeClient:
    """The client of --probe-client."""
    option = request.config.option
    if not option.probe_client:
        not_checked("no --probe-client names a client to fetch a token as")
    return ProbeClient(option.probe_client, os.environ["PROBE_CLIENT_SECRET"], option.probe_scope)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say, host by host, which controls are met, which are not, and which nobody looked at."""
    verdicts = controls.verdicts(terminalreporter.stats)
    for host, by_control in sorted(verdicts.items()):
        terminalreporter.section(f"controls of {host}")
        for line in controls.summary(by_control):
            terminalreporter.write_line(line)
