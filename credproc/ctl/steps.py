"""A change in steps: each is reported when done, and an error lists the steps done before it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from credproc.errors import CredprocError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any, TypeVar

    from typing_extensions import Self

    from credproc.ctl.output import Console

    Done = TypeVar("Done")


#: The exit status after an interrupt (SIGINT).
INTERRUPTED = 130


class Failed(CredprocError):
    """The command failed; ``steps`` are those that it completed before."""

    def __init__(self, message: str, steps: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.steps = list(steps)


class Interrupted(Failed):
    """The user pressed Ctrl-C."""

    status = INTERRUPTED


class Steps:
    """The steps of one command; a dry run reports them without doing them.

    As a context manager it adds the completed steps to an error, because each call to AWS can fail
    by itself. Every command continues where it stopped when it is run again.
    """

    def __init__(self, console: Console, dry_run: bool = False) -> None:
        self.console = console
        self.dry_run = dry_run
        #: The subject of each step, its result, and whether it changed anything.
        self.taken: list[tuple[str, str, bool]] = []

    def change(self, subject: str, participle: str, work: Callable[[], Done]) -> Done | None:
        """Do one step; ``participle`` describes its result, like "attached to NAME"."""
        if self.dry_run:
            self._tell(subject, f"would be {participle}", changed=False)
            return None
        try:
            done = work()
        except CredprocError as error:
            raise Failed(f"{subject} could not be {participle}: {error}") from error
        self._tell(subject, participle, changed=True)
        return done

    def same(self, subject: str, state: str) -> None:
        """Report a state; nothing is changed."""
        self._tell(subject, state, changed=False)

    def _tell(self, subject: str, state: str, changed: bool) -> None:
        self.taken.append((subject, state, changed))
        self.console.say(f"{subject}: {state}")

    @property
    def has_changed(self) -> bool:
        """Whether a step has changed anything."""
        return any(changed for _, _, changed in self.taken)

    def data(self) -> list[dict[str, Any]]:
        """Return the steps as data for JSON."""
        return [
            {"subject": subject, "state": state, "changed": changed}
            for subject, state, changed in self.taken
        ]

    def _so_far(self) -> str:
        done = [f"{subject} {state}" for subject, state, changed in self.taken if changed]
        return f"done before that: {', '.join(done)}; re-run the command to continue"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.has_changed:
            return
        if isinstance(error, CredprocError):
            raise Failed(f"{error}; {self._so_far()}", self.data()) from error
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {self._so_far()}", self.data()) from None


def confirm(console: Console, question: str, yes: bool) -> None:
    """Ask the user on the terminal; raise unless the answer is yes."""
    if yes:
        return
    if not (sys.stdin.isatty() and console.stderr.isatty()):
        raise RequestError(f"{question} There is no terminal for a prompt: add --yes")
    console.stderr.write(f"{question} [y/N] ")
    console.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failed("nothing was changed")
