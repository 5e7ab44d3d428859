"""What a consumer does when credproc fails and the instance has a role.

``python -m tests.consumers.failing [NAME]...`` prints, for all consumers, or for those whose names
contain a word that is given: what credproc logged, and which key signed the consumer's requests.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.consumers import getting
from tests.consumers import world as worlds
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.install import Installer
from tests.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.consumers.install import Installed
    from tests.consumers.world import World
    from tests.harness import Result

#: Where IMDS is. Some tools have no variable for another address, or ignore it.
IMDS = "169.254.169.254"
#: Variables that say where IMDS is.
ADDRESSES = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "CPL_AWS_EC2_API_ROOT_URL")

#: restic looks for a repository that does not exist, so it fails with any credentials.
RESTIC = Consumer(
    "restic",
    "Debian",
    getting.restic,
    packages=("restic",),
    goes_on=False,
    env={"AWS_PROFILE": "app", "RESTIC_PASSWORD": "x"},
    file="credentials",
)


@contextlib.contextmanager
def instance(network: Network, folder: Path) -> Iterator[World]:
    """Yield a machine in a network that was made with IMDS's address: an instance with a role."""
    with contextlib.ExitStack() as stack:
        try:
            world = network.do(lambda: stack.enter_context(worlds.made(folder, IMDS, 80)))
            world.host.environ.update(dict.fromkeys(ADDRESSES))
            yield world
        finally:
            network.do(stack.close)


class Failing:
    """A consumer on that machine; its credproc fails, because STS refuses the profile's role."""

    def __init__(
        self, network: Network, world: World, consumer: Consumer, there: Installed
    ) -> None:
        self.world = world
        self._network = network
        self._consumer = consumer
        self._there = there
        self._log = world.host.folder / "log"
        world.host.environ["CREDPROC_LOG"] = str(self._log)
        world.refuse(consumer.file)

    def run(self, *words: str) -> Result:
        """Let it make a request; only the instance's key may sign."""
        world = self.world
        world.forget()
        self._log.unlink(missing_ok=True)
        there = self._there._replace(command=[*self._there.command, *words])
        result = self._network.do(lambda: worlds.make_requests(world, self._consumer, there, 1))
        assert world.runs, result
        assert world.signers <= {world.imds.current["AccessKeyId"]}
        return result

    def becomes_instance(self, *words: str) -> bool:
        """Whether it uses the instance's role after credproc has failed; else it fails."""
        result = self.run(*words)
        succeeds = result.status == 0
        unsigned = self._consumer.unsigned and not self.world.signers
        assert succeeds == bool(self.world.signers) or (succeeds and unsigned), result
        return bool(self.world.signers)

    @property
    def logged(self) -> str:
        """The line with which credproc failed, as it is in CREDPROC_LOG."""
        return self._log.read_text("utf-8").splitlines()[-1]


def main() -> None:
    """Let each consumer's credproc fail, and print what happens."""
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="consumers-") as folder:
        kept = Path(os.environ.get("CREDPROC_TEST_CONSUMERS") or folder)
        consumers = [*CONSUMERS, RESTIC]
        packages = {package for each in consumers for package in each.packages}
        installer = Installer(kept, packages, may_change_debian=True)
        for number, each in enumerate(consumers):
            if words and not any(word in each.name for word in words):
                continue
            home = Path(folder) / str(number)
            home.mkdir()
            with Network(IMDS) as network, instance(network, home) as world:
                failing = Failing(network, world, each, each.get(installer))
                show(failing, each.name)
                if each.default and each.default.words:
                    show(failing, f"{each.name}, {each.default.name}", *each.default.words)


def show(failing: Failing, name: str, *words: str) -> None:
    """Let it make a request, and print what credproc logged and which key signed."""
    result = failing.run(*words)
    keys = ", ".join(failing.world.signers)
    signed = f"signed by {keys}, the instance's role" if keys else "no request was signed"
    print(f"{name}: status {result.status}, {signed}\n    {failing.logged}", flush=True)


if __name__ == "__main__":
    main()
