"""The lab itself: what its hosts are like, what it survives, and that it goes without a trace."""

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deploy import traces
from tests.lab import host, network, places, record, services
from tests.lab import lab as labs
from tests.lab.fixtures import MakeLab, RunningLab, require_lab, unused_name
from tests.lab.kinds import DEFAULT_KIND
from tests.lab.machine import LabError

pytestmark = pytest.mark.lab

COMMAND = (sys.executable, "-m", "tests.lab")


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a lab that the test brings up itself, and take that down if it is left."""
    require_lab()
    chosen = unused_name()
    yield chosen
    labs.down(chosen)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=places.CHECKOUT, capture_output=True, text=True, check=False
    )


def kill(lab: str, service: str) -> None:
    """End a service's main process as the kernel's memory killer would."""
    for root in ("systemd", "unified", "."):
        group = Path("/sys/fs/cgroup", root, f"portcullis-lab-{lab}-{service}")
        inner = group / "supervisor"
        procs = (inner if inner.is_dir() else group) / "cgroup.procs"
        if procs.exists():
            for pid in procs.read_text().split():
                subprocess.run(["kill", "-KILL", pid], check=True)
            return
    unit = f"portcullis-lab-{lab}-{service}.service"
    subprocess.run(["systemctl", "kill", "--kill-who=main", "-s", "KILL", unit], check=True)


def boot_id(lab: RunningLab, index: int = 0) -> str:
    """Tell one boot of a host from the next: its first process started at another time."""
    return lab.ssh("stat --format=%Y-%i /run/systemd/system /proc/1/cmdline", index).stdout


class TestHost:
    def test_it_is_a_booted_debian_without_a_failed_unit(self, lab: RunningLab) -> None:
        seen = lab.ssh("cat /proc/1/comm; systemctl is-system-running; . /etc/os-release; echo $ID")
        assert seen.stdout.split() == ["systemd", "running", "debian"]

    def test_its_user_has_sudo_without_a_password(self, lab: RunningLab) -> None:
        assert lab.ssh("id -un; sudo -n id -un").stdout.split() == ["deploy", "root"]

    def test_root_cannot_log_in_even_with_an_authorized_key(self, lab: RunningLab) -> None:
        lab.ssh("sudo install -D -m 600 ~/.ssh/authorized_keys /root/.ssh/authorized_keys")
        refused = lab.ssh("true", options=("-l", "root"))
        lab.ssh("sudo rm -r /root/.ssh")
        assert (refused.returncode, "Permission denied" in refused.stderr) == (255, True)

    def test_nobody_logs_in_with_a_password(self, lab: RunningLab) -> None:
        keyless = ("-o", "PubkeyAuthentication=no", "-o", "PasswordAuthentication=yes")
        assert "Permission denied (publickey)" in lab.ssh("true", options=keyless).stderr

    def test_a_host_with_another_key_is_not_spoken_to(
        self, lab: RunningLab, tmp_path: Path
    ) -> None:
        known = (lab.directory / "known_hosts").read_text().split()
        forged = places.described(places.CHECKOUT, lab.name) / "id_ed25519.pub"
        (tmp_path / "known").write_text(f"{known[0]} {forged.read_text()}")
        (tmp_path / "empty").touch()
        for file in ("known", "empty"):
            option = ("-o", f"UserKnownHostsFile={tmp_path / file}")
            assert "Host key verification failed" in lab.ssh("true", options=option).stderr

    def test_it_has_no_way_out_of_its_lab(self, lab: RunningLab) -> None:
        """Not by its own routes, nor by one that root adds: the machine does not forward."""
        outside = "timeout 1 bash -c '</dev/tcp/192.0.2.1/80' 2>&1"
        assert "unreachable" in lab.ssh(outside).stdout
        gateway = str(record_of(lab).subnet[1])
        lab.ssh(f"sudo ip route add default via {gateway}")
        assert lab.ssh(outside).returncode != 0
        lab.ssh("sudo ip route del default")

    def test_packages_come_through_the_labs_proxy(self, lab: RunningLab) -> None:
        fetched = lab.ssh("sudo apt-get -qq update && cd /tmp && apt-get -qq download hostname")
        assert fetched.returncode == 0, fetched.stderr
        kept = [path.name for path in places.PACKAGES.rglob("hostname_*.deb")]
        assert kept

    def test_the_proxy_forwards_to_package_mirrors_alone(self, lab: RunningLab) -> None:
        proxy = f"http://{record_of(lab).subnet[1]}:31420"
        script = (
            "import urllib.request as u, urllib.error\n"
            f"o = u.build_opener(u.ProxyHandler({{'http': '{proxy}'}}))\n"
            "try: print(o.open('http://192.0.2.1/', timeout=5).status)\n"
            "except urllib.error.HTTPError as e: print(e.code)\n"
        )
        assert lab.ssh(f'python3 -c "{script}"').stdout == "403\n"

    def test_it_costs_a_few_megabytes(self, name: str) -> None:
        labs.up(name, None)
        overlay = host.directory(name, f"{name}-1")
        assert sum(file.lstat().st_blocks for file in overlay.rglob("*")) * 512 < 16 << 20


def record_of(lab: RunningLab) -> record.LabRecord:
    known = record.load(lab.name)
    assert known is not None
    return known


class TestDescription:
    def test_lab_json_has_what_programs_need(self, lab: RunningLab) -> None:
        described = json.loads(lab.lab_json.read_text())
        assert described["hosts"] == [
            {"name": f"{lab.name}-1", "kind": DEFAULT_KIND, "address": lab.hosts[0].address}
        ]
        assert described["issuer"] == f"https://{lab.hosts[0].address}"
        assert Path(described["ssh_config"]).is_file()
        assert {key: set(value) for key, value in described.items() if isinstance(value, dict)} == {
            "confidential_client": {"client_id", "client_secret", "scope"},
            "public_client": {"client_id", "redirect_uri", "scope"},
            "user": {"username", "password", "password_hash"},
        }

    def test_its_secrets_are_for_its_owner_alone(self, lab: RunningLab) -> None:
        modes = {
            path: stat.S_IMODE(path.stat().st_mode)
            for path in (
                lab.directory.parent,
                lab.directory,
                lab.lab_json,
                places.runtime(lab.name),
            )
        }
        assert list(modes.values()) == [0o700, 0o700, 0o600, 0o700]
        assert stat.S_IMODE((lab.directory / "id_ed25519").stat().st_mode) == 0o600


class TestTwoLabs:
    def test_they_stand_side_by_side_and_do_not_reach_each_other(
        self, lab: RunningLab, make_lab: MakeLab
    ) -> None:
        other = make_lab(DEFAULT_KIND, DEFAULT_KIND)
        assert not record_of(lab).subnet.overlaps(record_of(other).subnet)
        ping = "ping -q -c 1 -W 1"
        assert other.ssh(f"{ping} {other.hosts[1].name}").returncode == 0
        lab.ssh(f"sudo ip route add default via {record_of(lab).subnet[1]}")
        other.ssh(f"sudo ip route add default via {record_of(other).subnet[1]}")
        assert lab.ssh(f"{ping} {other.hosts[0].address}").returncode != 0
        lab.ssh("sudo ip route del default")
        shown = {line.split()[0] for line in traces.of(other.name)}
        assert shown == {"process", "network", "group", "file"}  # and no mount, even now
        labs.down(other.name)
        assert traces.of(other.name) == []
        assert lab.ssh("true").returncode == 0


class TestUpAgain:
    def test_what_runs_is_kept_and_what_is_missing_is_made(self, name: str) -> None:
        assert command("up", "--name", name).returncode == 0
        first = RunningLab(record.load(name) or pytest.fail("no record"))
        booted, secrets = boot_id(first), json.loads(first.lab_json.read_text())["user"]
        more = command("up", "--name", name, "--hosts", "2")
        assert (more.returncode, f"booting {name}-2" in more.stderr) == (0, True), more.stderr
        both = RunningLab(record.load(name) or pytest.fail("no record"))
        assert [both.ssh("true", index).returncode for index in (0, 1)] == [0, 0]
        assert boot_id(both) == booted
        assert json.loads(both.lab_json.read_text())["user"] == secrets
        fewer = command("up", "--name", name, "--hosts", "1")
        assert (fewer.returncode, "keeps its 2 hosts" in fewer.stderr) == (0, True)

    def test_what_was_killed_or_powered_off_is_started(self, name: str) -> None:
        known = labs.up(name, [DEFAULT_KIND, DEFAULT_KIND])
        running = RunningLab(known)
        running.ssh("sudo touch /etc/kept; sync", 0)
        kill(name, f"{name}-1")
        kill(name, "proxy")
        kill(name, "time")
        running.ssh("sudo systemctl poweroff", 1)
        deadline = time.monotonic() + 10
        while f"{name}-2" in services.of(name).running() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert services.of(name).running() == set()
        labs.up(name, None)
        assert services.of(name).running() == {f"{name}-1", f"{name}-2", "proxy", "time"}
        assert running.ssh("test -e /etc/kept", 0).returncode == 0
        kill(name, f"{name}-1")
        labs.down(name)
        assert traces.of(name) == []

    def test_a_host_reboots_by_itself(self, name: str) -> None:
        running = RunningLab(labs.up(name, None))
        booted = boot_id(running)
        running.ssh("sudo systemctl reboot")
        deadline = time.monotonic() + 20
        while (now := boot_id(running)) in ("", booted) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert now not in ("", booted)

    def test_after_a_reboot_of_the_machine_it_stands_again(self, name: str) -> None:
        """What is left then are files."""
        first = labs.up(name, None)
        services.of(name).stop(services.of(name).known())
        network.remove(name)
        again = RunningLab(labs.up(name, None))
        assert again.hosts == first.hosts
        assert again.ssh("true").returncode == 0

    def test_a_second_up_waits_for_the_first(self, name: str) -> None:
        with places.locked(places.runtime(name), "never"):
            waiting = subprocess.Popen(
                [*COMMAND, "up", "--name", name], stderr=subprocess.PIPE, text=True
            )
            assert waiting.stderr is not None
            assert "another command is at work" in waiting.stderr.readline()
        with waiting:
            assert waiting.wait(60) == 0

    def test_a_lab_of_another_checkout_is_left_alone(self, name: str) -> None:
        labs.up(name, None)
        known = record.load(name) or pytest.fail("no record")
        record.save(replace(known, checkout="/"))
        for refused in (command("up", "--name", name), command("down", "--name", name)):
            assert (refused.returncode, "belongs to the checkout /:" in refused.stderr) == (1, True)
        record.save(known)


class TestDown:
    @pytest.mark.parametrize("after", [0.15, 0.3, 0.45, 0.6, 0.9, 1.3])
    def test_it_leaves_nothing_of_an_up_that_was_killed(self, name: str, after: float) -> None:
        """Wherever a kill -9 falls: in the probes, the bridge, the overlays or the boot."""
        begun = subprocess.Popen(
            [*COMMAND, "up", "--name", name, "--hosts", "2"],
            cwd=places.CHECKOUT,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(after)
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        assert command("down", "--name", name).returncode == 0
        assert traces.of(name) == []

    def test_a_down_that_was_killed_is_finished_by_the_next(self, name: str) -> None:
        labs.up(name, [DEFAULT_KIND, DEFAULT_KIND])
        for after in (0.3, 0.4):
            begun = subprocess.Popen([*COMMAND, "down", "--name", name], stderr=subprocess.DEVNULL)
            time.sleep(after)
            begun.send_signal(signal.SIGKILL)
            begun.wait()
        assert command("down", "--name", name).returncode == 0
        assert traces.of(name) == []

    def test_an_up_that_was_killed_is_finished_by_the_next(self, name: str) -> None:
        begun = subprocess.Popen([*COMMAND, "up", "--name", name], stderr=subprocess.DEVNULL)
        time.sleep(0.6)
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        assert RunningLab(labs.up(name, None)).ssh("true").returncode == 0

    def test_it_removes_files_that_a_test_made_immutable(self, name: str) -> None:
        running = RunningLab(labs.up(name, None))
        locked = running.ssh("sudo touch /etc/fixed && sudo chattr +i /etc/fixed")
        assert locked.returncode == 0, locked.stderr
        labs.down(name)
        assert traces.of(name) == []

    def test_without_a_lab_there_is_nothing_to_do(self, name: str) -> None:
        gone = command("down", "--name", name)
        assert (gone.returncode, "nothing to do" in gone.stderr) == (0, True)
        assert traces.of(name) == []


def test_a_killed_build_leaves_no_process_and_no_image(tmp_path: Path) -> None:
    require_lab()
    script = (
        "from pathlib import Path; from dataclasses import replace\n"
        "from tests.lab import image, kinds, places\n"
        f"places.IMAGES = Path({str(tmp_path)!r}) / 'images'\n"
        "image.ensure(kinds.KINDS[kinds.DEFAULT_KIND])\n"
    )
    build = subprocess.Popen(
        [sys.executable, "-c", script], cwd=places.CHECKOUT, stderr=subprocess.PIPE, text=True
    )
    assert build.stderr is not None
    for line in build.stderr:
        if "extracting archives" in line:
            break
    build.kill()
    build.communicate()
    deadline = time.monotonic() + 5
    while (left := traces.mentioning(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert list((tmp_path / "images").glob("[!.]*")) == []


def test_images_stay_while_a_lab_stands_on_them(lab: RunningLab) -> None:
    with pytest.raises(LabError, match=f"take down .*{lab.name}"):
        labs.clean()
