"""A change in steps: each is said when it is done, and a failure says what was done before it."""

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


#: The exit status of what was interrupted.
INTERRUPTED = 130


class Failed(CredprocError):
    """The command could not do what it was asked for; ``steps`` are those that it took before."""

    def __init__(self, message: str, steps: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.steps = list(steps)


class Interrupted(Failed):
    """Someone pressed Ctrl-C."""

    status = INTERRUPTED


class Steps:
    """The steps of one command; a dry run says them and leaves them undone.

    As a context it adds to an error what was done before, because most commands of AWS that belong
    together can fail one by one; every command here goes on where it ended when it is run again.
    """

    def __init__(self, console: Console, dry_run: bool = False) -> None:
        self.console = console
        self.dry_run = dry_run
        #: What each step was about, what became of it, and whether that changed anything.
        self.taken: list[tuple[str, str, bool]] = []

    def change(self, subject: str, participle: str, work: Callable[[], Done]) -> Done | None:
        """Do one step; ``participle`` says what has become of the subject then."""
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
        """Say that a step need not be taken."""
        self._tell(subject, state, changed=False)

    def _tell(self, subject: str, state: str, changed: bool) -> None:
        self.taken.append((subject, state, changed))
        self.console.say(f"{subject}: {state}")

    @property
    def has_changed(self) -> bool:
        """Whether a step has changed anything."""
        return any(changed for _, _, changed in self.taken)

    def data(self) -> list[dict[str, Any]]:
        """Return the steps for machines."""
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
    """Ask the person at the terminal; raise unless the answer is yes."""
    if yes:
        return
    if not (sys.stdin.isatty() and console.stderr.isatty()):
        raise RequestError(f"{question} There is no terminal to ask on: add --yes")
    console.stderr.write(f"{question} [y/N] ")
    console.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failed("nothing was changed")
