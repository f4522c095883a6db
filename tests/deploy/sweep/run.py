"""One run of the deploy that a test can follow, and end."""

from __future__ import annotations

import os
import signal
import subprocess
from threading import Condition, Thread

from tests.deploy import running
from tests.lab.fixtures import RunningLab

_A_RUN = 180.0


class Run:
    """A deploy that has been started; what it says is read while it goes on."""

    def __init__(self, lab: RunningLab, inventory: str) -> None:
        self.lab, self.inventory = lab, inventory
        self._process = subprocess.Popen(
            running.command("-y", inventory=inventory),
            cwd=running.ROOT,
            env=running.environment(lab, PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._lines: list[str] = []
        self._news = Condition()
        self._ended = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def reach(self, operation: str) -> None:
        """Return when the run begins with the operation."""
        with self._news:
            reached = self._news.wait_for(
                lambda: (
                    any("Starting operation" in line and operation in line for line in self._lines)
                    or self._ended
                ),
                timeout=_A_RUN,
            )
        assert reached, self.said
        assert not self._ended, self.said

    def kill(self) -> None:
        """End it, and what it has started, with no chance to clean up."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def must_end(self) -> None:
        """It ends by itself, and whatever it has to say is no traceback."""
        try:
            self._process.wait(_A_RUN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the run does not end: {self.said}") from None
        self._reader.join()
        assert "Traceback" not in self.said, self.said
        assert self._process.returncode in (0, 1), self.said

    def must_fail(self) -> None:
        self.must_end()
        assert self._process.returncode == 1, self.said

    def must_succeed(self) -> None:
        self.must_end()
        assert self._process.returncode == 0, self.said

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        self._process.stdout.close()
        with self._news:
            self._ended = True
            self._news.notify_all()
