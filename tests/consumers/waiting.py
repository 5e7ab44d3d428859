"""Runs of credproc that wait for another, seen in what they log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cloud import until

if TYPE_CHECKING:
    from tests.harness import Host


class Waiting:
    """The runs on a machine that have come to wait since the last look."""

    def __init__(self, host: Host) -> None:
        self._log = host.folder / "credproc.log"
        self._seen = 0
        host.environ["CREDPROC_LOG"] = str(self._log)

    @property
    def count(self) -> int:
        """How many there are."""
        text = self._log.read_text() if self._log.exists() else ""
        return text.count("waiting for another process") - self._seen

    def forget(self) -> None:
        """Forget those that there are."""
        self._seen += self.count

    def come(self, number: int) -> None:
        """Return when there are that many; AssertionError if they do not come."""
        until(lambda: self.count >= number)
