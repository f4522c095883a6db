"""Runs on a lab host, in a unit with the server's sandbox: what it may do, and what it may not.

Each line of its output is a name and `allowed`, or a name and what stopped it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, "/opt/oauth-server/current")

from oauth_server import passwords
from oauth_server.keys import algorithms
from oauth_server.models import Algorithm

_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(status: int) -> None:
    if status < 0:
        raise OSError(ctypes.get_errno(), "")


def hash_a_password() -> None:
    assert passwords.verifies("correct horse battery", passwords.make_hash("correct horse battery"))


def sign_in_threads(algorithm: Algorithm) -> None:
    sign = algorithms.signing(algorithm, algorithms.generate(algorithm))
    done: list[bytes] = []
    work = [threading.Thread(target=lambda: done.append(sign(b"content"))) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(done) == 4


def start_a_child() -> None:
    ours, theirs = socket.socketpair()
    code = f"import socket; socket.socket(fileno={theirs.fileno()}).sendall(b'here')"
    with subprocess.Popen([sys.executable, "-I", "-c", code], pass_fds=[theirs.fileno()]) as child:
        assert ours.recv(4) == b"here"
    assert child.returncode == 0


def append_to_the_log() -> None:
    with Path("/var/log/oauth_server.log").open("a"):
        pass


def connect_to_redis() -> None:
    with socket.socket(socket.AF_UNIX) as store:
        store.connect("/run/redis/redis.sock")


def open_a_network_socket() -> None:
    socket.socket(socket.AF_INET).close()


def ask_the_kernel_by_netlink() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


def see_the_hosts_interfaces() -> None:
    if [name for _, name in socket.if_nameindex()] == ["lo"]:
        raise OSError("only lo")


def write_to_settings() -> None:
    Path("/etc/oauth2/clients.json").open("a").close()


def write_to_the_program() -> None:
    (Path("/opt/oauth-server/current") / "new.py").touch()


def write_to_the_ring() -> None:
    Path("/etc/oauth2/keys/new").touch()


def run_what_it_wrote() -> None:
    with tempfile.TemporaryDirectory(dir="/var/lib/oauth-server") as directory:
        program = Path(directory) / "program"
        program.write_bytes(Path("/usr/bin/true").read_bytes())
        program.chmod(0o700)
        subprocess.run([program], check=True)


def make_memory_writable_and_executable() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_a_namespace() -> None:
    _checked(_LIBC.unshare(0x10000000))  # CLONE_NEWUSER


def leave_a_setuid_program() -> None:
    path = Path("/var/lib/oauth-server/setuid")
    path.touch()
    try:
        path.chmod(0o4700)
    finally:
        path.unlink()


def see_others_processes() -> None:
    if not Path("/proc/1").exists():
        raise OSError("no /proc/1")


def read_kernel_settings() -> None:
    Path("/proc/sys/kernel/osrelease").read_text()


def read_homes() -> None:
    list(Path("/home/deploy").iterdir())


def use_a_device() -> None:
    if not {Path("/dev/kmsg"), Path("/dev/rtc0")} & set(Path("/dev").iterdir()):
        raise OSError("no devices")


def make_a_file_for_others() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "file"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
        if path.stat().st_mode & 0o077 == 0:
            raise OSError("its umask")


STEPS: dict[str, Callable[[], None]] = {
    step.__name__: step
    for step in (
        hash_a_password,
        start_a_child,
        append_to_the_log,
        connect_to_redis,
        open_a_network_socket,
        ask_the_kernel_by_netlink,
        see_the_hosts_interfaces,
        write_to_settings,
        write_to_the_program,
        write_to_the_ring,
        run_what_it_wrote,
        make_memory_writable_and_executable,
        make_a_namespace,
        leave_a_setuid_program,
        see_others_processes,
        read_kernel_settings,
        read_homes,
        use_a_device,
        make_a_file_for_others,
    )
}

for name, step in STEPS.items():
    try:
        step()
        print(name, "allowed", flush=True)
    except (OSError, PermissionError) as error:
        print(name, error.strerror or error, flush=True)
for algorithm in Algorithm:
    sign_in_threads(algorithm)
    print("sign", algorithm.value, "allowed", flush=True)
