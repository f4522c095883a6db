"""The audit is itself put to the proof: break a host, and it names what no longer holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

import pytest

from tests.deploy.auditing import audit, not_met
from tests.deploy.mutations import MUTATIONS, Mutation
from tests.lab.fixtures import RunningLab


def _rounds() -> list[list[Mutation]]:
    """As many at once as still show that each is seen: no control twice, two of a family."""
    rounds: list[list[Mutation]] = []
    for mutation in MUTATIONS:
        for each in rounds:
            controls = " ".join(other.controls for other in each).split()
            family = mutation.controls.partition("-")[0]
            if (
                not set(controls) & set(mutation.controls.split())
                and sum(control.startswith(f"{family}-") for control in controls) < 2
            ):
                each.append(mutation)
                break
        else:
            rounds.append([mutation])
    return rounds


@contextmanager
def _broken(lab: RunningLab, *mutations: Mutation) -> Iterator[None]:
    try:
        _root(lab, [mutation.damage for mutation in mutations])
        yield
    finally:
        # The other way round, for those that edit the same file.
        _root(lab, [mutation.repair for mutation in reversed(mutations)])


def _root(lab: RunningLab, scripts: list[str]) -> None:
    """Run all of them; one that fails stops none of the others."""
    lines = [f"sh -c {quote(each)} || echo FAILED: {quote(each)}" for each in scripts]
    done = lab.ssh(f"sudo sh -c {quote(chr(10).join(lines))}")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_host_that_was_just_deployed_meets_every_control(deployed: RunningLab) -> None:
    """All but the one that nobody asked for, which is named."""
    report = audit(deployed, "tests/audit", "--sudo")
    assert not_met(report) == [], report
    assert re.findall(r"^  ([A-Z]+-\d\d)  not checked", report, re.MULTILINE) == ["SRV-06"]


@pytest.mark.parametrize(
    "mutations", _rounds(), ids=lambda mutations: "+".join(each.controls for each in mutations)
)
def test_what_is_broken_is_named_and_nothing_else(
    deployed: RunningLab, mutations: list[Mutation]
) -> None:
    """Exactly the controls that no longer hold, of all that there are."""
    with _broken(deployed, *mutations):
        report = audit(deployed, "tests/audit", "--sudo")
    expected = sorted(control for each in mutations for control in each.controls.split())
    assert sorted(not_met(report)) == expected, report


def test_a_closed_port_does_not_pass_for_one_without_old_protocols(deployed: RunningLab) -> None:
    """It speaks no TLS 1.2 either."""
    units = "oauth-server.socket oauth-server.service"
    stopped = Mutation(
        "the server is stopped",
        "TLS-02 TLS-04",
        f"systemctl stop {units}",
        f"systemctl start {units}",
    )
    with _broken(deployed, stopped):
        report = audit(deployed, "tests/audit/test_certificates.py", "--sudo")
    assert not_met(report) == ["TLS-02", "TLS-04"]


def test_a_client_with_a_wrong_secret_gets_no_token(deployed: RunningLab) -> None:
    """The probe is a real one; its secret is shown nowhere."""
    arguments = ("tests/audit/test_server.py", "--sudo", "--probe-client=lab_gateway")
    report = audit(deployed, *arguments, PROBE_CLIENT_SECRET="wrong-secret")
    assert not_met(report) == ["SRV-06"]
    assert "wrong-secret" not in report


def test_an_account_without_root_is_told_what_it_did_not_see(deployed: RunningLab) -> None:
    """What could not be looked at is neither a pass nor a failure."""
    report = audit(deployed, "tests/audit")
    assert not_met(report) == []
    assert "KEY-02  not checked" in report
    assert "this account may not look there" in report
