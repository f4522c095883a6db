"""The second run changes nothing."""

from tests.deploy import running
from tests.lab.fixtures import RunningLab


def test_after_a_deploy_nothing_is_left_to_change(deployed: RunningLab) -> None:
    """pyinfra itself finds no operation that would change the host."""
    assert running.pending(deployed) == []


def test_a_real_second_run_leaves_the_host_as_it_was(deployed: RunningLab) -> None:
    """No file is written anew, no unit is restarted: what is on the host is the judge."""
    before = running.state(deployed)
    running.deploy(deployed)
    assert running.state(deployed) == before
