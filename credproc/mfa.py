"""The code of an MFA device: from a command, or from the user at the terminal."""

from __future__ import annotations

import contextlib
import os
import time

from credproc import processes, prompt
from credproc.answer import mark
from credproc.children import Children
from credproc.errors import CodeNotGiven, NoPrompt, WrongCode, clean
from credproc.promptlock import PromptLock, PromptLocks
from credproc.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from credproc.deadline import Deadline
    from credproc.locks import Holder
    from credproc.mfacommand import MfaCommand

    Result = TypeVar("Result")

#: Seconds for which a device shows one code.
STEP = 30

NOT_A_CODE = "not an MFA code: expected six digits"
USED = "this code has been used already, and each code works once: wait for the next one"
NO_TERMINAL = "there is no terminal for a prompt"
INSTEAD = "use --mfa-command, or run the same command once in a terminal"
REFUSED = "AWS did not accept this code: check it, or wait for the next one"


class Mfa:
    """Gets MFA codes; ``command`` is the command line of --mfa-command, or empty.

    ``store`` is the cache, in which every device has a lock: one prompt at a time.
    """

    def __init__(
        self,
        command: str,
        environ: Mapping[str, str],
        store: Store | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.now = now
        self.sleep = sleep
        self.locks = PromptLocks(store or Store(""))
        #: Processes that the run has started, and that must not outlive it.
        self.children = Children()
        self.command: MfaCommand | None = None
        if command:
            from credproc.mfacommand import MfaCommand  # 1 ms, with helper and errorline

            self.command = MfaCommand(command, environ, self.children)
        self._prompt: prompt.Prompt | None = None

    @property
    def needs_person(self) -> bool:
        """Whether the user has to type the code, or to do what the command says."""
        return not self.command or self.command.wrote_to_terminal

    def source(self) -> str:
        """Return what distinguishes the command or the terminal that codes come from, "" if there
        is neither."""
        if self.command:
            return f"command {mark(repr(self.command.words).encode())}"
        terminal = prompt.opened(os.O_RDWR)
        if terminal is None:
            return ""
        try:
            return _terminal_name() if prompt.is_foreground(terminal) else ""
        finally:
            os.close(terminal)

    def with_code(
        self, serial: str, purpose: str, deadline: Deadline, use: Callable[[str], Result]
    ) -> Result:
        """Get a code from the device and return what ``use`` returns for it.

        ``purpose`` says in the prompt what the code is for. One process at a time prompts for codes
        of a device, and one at a time uses a code. If ``use`` raises WrongCode, the user is
        prompted again.
        """
        if self.command:
            with self._quietly(f"command for {serial}", deadline):
                return self._commanded(self.command, serial, deadline, use)
        purpose = clean(purpose)
        question = f"MFA code for {serial} ({purpose}): "

        def notice(holder: Holder, theirs: str) -> None:
            prompt.say(_notice(holder, theirs, purpose))

        with (
            self.locks.lock(f"prompt for {serial}", question, deadline, notice),
            self._terminal(serial) as opened,
            # Prompts for two devices on one terminal would read each other's codes.
            self.locks.lock(_terminal_name(), question, deadline, notice),
        ):
            return self._prompted(opened, serial, question, deadline, use)

    def _device(
        self, serial: str, deadline: Deadline
    ) -> contextlib.AbstractContextManager[PromptLock]:
        """Return the lock for using a code of the device, which is never taken for long."""
        return self._quietly(f"MFA device {serial}", deadline)

    def _quietly(
        self, name: str, deadline: Deadline
    ) -> contextlib.AbstractContextManager[PromptLock]:
        return self.locks.lock(name, "", deadline, lambda *_: None)

    def report_waiting(self, holder: Holder) -> bool:
        """Tell the user that this run waits for the prompt of another process, if there is one.

        Return whether there is nothing more to tell, for instance because that prompt is on the
        same terminal.
        """
        if _is_here(holder) or not prompt.has_terminal():
            return True
        question = self.locks.question(holder)
        if question:
            prompt.say(_elsewhere("this run", question, holder))
        return bool(question)

    def passes(self, holder: Holder) -> bool:
        """Whether this run does not wait for a process because that one prompts a person, who may
        be away, while this run has a command."""
        return bool(self.command and self.locks.question(holder))

    def end(self) -> None:
        """End running helpers and an open prompt, and restore the terminal."""
        self.children.end()
        opened = self._prompt
        if opened is not None:
            opened.leave()

    def resume(self) -> None:
        """Show the prompt again after the process was stopped and resumed."""
        if self._prompt is not None:
            self._prompt.show()

    def _commanded(
        self,
        command: MfaCommand,
        serial: str,
        deadline: Deadline,
        use: Callable[[str], Result],
    ) -> Result:
        """Use a code from the command that has not been used yet."""
        while True:
            code = six_digits(command.output(serial, deadline))
            if not code:
                raise CodeNotGiven(
                    f"--mfa-command printed no MFA code for {serial}: expected six digits"
                )
            with self._device(serial, deadline) as lock:
                if not lock.is_used(code, self.now()):
                    return self._used(lock, code, use)
            pause = STEP - self.now() % STEP + 0.5
            if deadline.left() < pause + 1:
                raise CodeNotGiven(
                    f"--mfa-command printed a code for {serial} that has been used already, and "
                    f"each code works once: try again in {pause:.0f} s, or raise --timeout"
                )
            prompt.say(f"credproc: the code for {serial} has been used already: waiting "
                       f"{pause:.0f} s for the next one\n")  # fmt: skip
            self.sleep(pause)

    @contextlib.contextmanager
    def _terminal(self, serial: str) -> Iterator[prompt.Prompt]:
        """Open the terminal for a prompt; NoPrompt if there is none in the foreground."""
        needed = f"an MFA code for {serial} is needed, but "
        terminal = prompt.opened(os.O_RDWR)
        if terminal is None:
            raise NoPrompt(f"{needed}{NO_TERMINAL}: {INSTEAD}")
        try:
            if not prompt.is_foreground(terminal):
                raise NoPrompt(
                    f"{needed}this process is in the background of its terminal and cannot prompt: "
                    "run it in the foreground (fg), or use --mfa-command"
                )
            self._prompt = prompt.Prompt(terminal)
            yield self._prompt
        finally:
            self._prompt = None
            os.close(terminal)

    def _prompted(
        self,
        opened: prompt.Prompt,
        serial: str,
        question: str,
        deadline: Deadline,
        use: Callable[[str], Result],
    ) -> Result:
        """Prompt the user until AWS accepts a code, or no time is left."""
        problem = ""
        refused: WrongCode | None = None
        while True:
            typed = _typed(opened, f"{problem}{question}", serial, deadline, not problem)
            if not typed:
                what = "the prompt was closed" if typed == "" else "none was typed in time"
                raise refused or CodeNotGiven(f"no MFA code for {serial}: {what}")
            code = six_digits(typed)
            if not code:
                problem = f"credproc: {NOT_A_CODE}\n"
                continue
            with self._device(serial, deadline) as lock:
                if lock.is_used(code, self.now()):
                    problem = f"credproc: {USED}\n"
                    continue
                try:
                    return self._used(lock, code, use)
                except WrongCode as error:
                    refused, problem = error, f"credproc: {REFUSED}\n"

    def _used(self, lock: PromptLock, code: str, use: Callable[[str], Result]) -> Result:
        """Use a code, and record it if AWS has seen it."""
        try:
            result = use(code)
        except WrongCode:
            lock.record(code, self.now())
            raise
        lock.record(code, self.now())
        return result


def _terminal_name() -> str:
    """Return a name for our terminal: its session, whose number is unique in one container."""
    return f"terminal {processes.namespace()} {os.getsid(0)}"


def six_digits(text: str) -> str:
    """Return the six digits of a typed or printed code, "" if it is not a code.

    Spaces are ignored (authenticator apps show and copy "123 456"); digits of other scripts, which
    some keyboards type, are accepted.
    """
    digits = "".join(text.split())
    if len(digits) != 6 or not digits.isdecimal():
        return ""
    return "".join(str(int(digit)) for digit in digits)


def _typed(
    opened: prompt.Prompt, text: str, serial: str, deadline: Deadline, flush: bool
) -> str | None:
    try:
        return opened.ask(text, deadline.left(), flush)
    except OSError:
        raise NoPrompt(
            f"an MFA code for {serial} is needed, but the terminal was closed: {INSTEAD}"
        ) from None


def _notice(holder: Holder, question: str, purpose: str) -> str:
    """Return what to tell the user while the prompt of another process comes first."""
    if _is_here(holder):
        return f"\ncredproc: {purpose} needs a code too, after this one.\n{question}"
    return _elsewhere(purpose, question, holder)


def _elsewhere(what: str, question: str, holder: Holder) -> str:
    who = holder.described(time.time())
    waiting = f"credproc: {what} is waiting for the MFA prompt on another terminal"
    return f"{waiting}: {question.rstrip(': ')} ({who})\n"


def _is_here(holder: Holder) -> bool:
    """Whether a process is in our session, and so on our terminal."""
    try:
        return holder.process() is not None and os.getsid(holder.pid) == os.getsid(0)
    except OSError:
        return False
