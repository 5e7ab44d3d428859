"""Where the code of an MFA device comes from."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from credproc import mfa, mfacommand, prompt, promptlock
from credproc.deadline import Deadline
from credproc.errors import CodeNotGiven, NoPrompt, ProviderFailed, UsageError
from credproc.locks import Holder
from credproc.mfa import Mfa
from credproc.store import Store

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = "arn:aws:iam::111122223333:mfa/me"


def code(command: str, seconds: float = 20) -> str:
    """Return the code that a command gives."""
    return Mfa(command, os.environ).with_code(DEVICE, "role r", Deadline(seconds), str)


def refused(command: str, seconds: float = 20) -> str:
    """Return with which words a command gives none."""
    with pytest.raises(CodeNotGiven) as caught:
        code(command, seconds)
    return str(caught.value)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("oathtool --totp", ["oathtool", "--totp"]),
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("sh -c 'echo $1' _ 5", ["sh", "-c", "echo $1", "_", "5"]),
        ("a ''", ["a", ""]),
        ("a#b # c", ["a#b", "#", "c"]),
        ("  a\tb\n", ["a", "b"]),
    ],
)
def test_command_is_split_like_a_shell_would(command: str, words: list[str]) -> None:
    assert mfacommand.split(command) == words


@pytest.mark.parametrize(
    ("command", "reason"),
    [("", "the command is empty"), (" ", "the command is empty"), ("'' x", "the command is empty"),
     ("a 'b", "no closing quotation"), ("a \\", "no escaped character")],
)  # fmt: skip
def test_invalid_command_is_refused(command: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^--mfa-command: {reason}$"):
        mfacommand.split(command)


def test_person_is_needed_where_no_command_is_given() -> None:
    assert Mfa("", {}).needs_person
    assert not Mfa("oathtool", {}).needs_person


@pytest.mark.parametrize("printed", ["123456", "123456\\n", " 123 456\\r\\n", "\\n\\t123456 "])
def test_blanks_are_no_part_of_a_code(printed: str) -> None:
    assert code(f"sh -c \"printf '{printed}'\"") == "123456"


@pytest.mark.parametrize(
    "printed", ["", "12345", "1234567", "12345a", "123-456", "\\342\\205\\240", "12345\\302\\262"]
)
def test_whatever_is_not_a_code_is_refused(printed: str) -> None:
    said = refused(f"sh -c \"printf '{printed}'\"")

    assert said == f"--mfa-command printed no MFA code for {DEVICE}: expected six digits"


class Device:
    """A device whose code changes every 30 s, with the clock that it and credproc go by."""

    def __init__(self, folder: Path) -> None:
        self.time = 1000.0
        self.file = folder / "code"
        self.slept: list[float] = []
        self.sleep(0)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        self.file.write_text(f"{int(self.time // 30):06d}")


def test_next_code_is_waited_for_where_one_was_used(tmp_path: Path) -> None:
    device = Device(tmp_path)
    store = Store(str(tmp_path / "cache"))

    def used() -> str:
        """Use a code in a process of its own."""
        asker = Mfa(f"cat {device.file}", os.environ, store, device.now, device.sleep)
        return asker.with_code(DEVICE, "role r", Deadline(60), str)

    assert [used(), used(), used()] == ["000033", "000034", "000035"]
    assert device.slept == [0, 20.5, 30]

    store = Store("")
    alone = Mfa(f"cat {device.file}", os.environ, store, device.now, device.sleep)
    codes = [alone.with_code(DEVICE, "role r", Deadline(60), str) for _ in range(2)]
    assert codes == ["000035", "000036"]


def test_code_is_free_again_if_it_was_not_sent(tmp_path: Path) -> None:
    device = Device(tmp_path)
    asker = Mfa(f"cat {device.file}", os.environ, Store(""), device.now, device.sleep)

    def unreachable(_: str) -> str:
        raise ProviderFailed("no answer")

    with pytest.raises(ProviderFailed):
        asker.with_code(DEVICE, "role r", Deadline(60), unreachable)
    assert asker.with_code(DEVICE, "role r", Deadline(60), str) == "000033"
    assert device.slept == [0]


@pytest.mark.parametrize("line", [b"", b"\xff\0", b"- 3", b"- x q", b"9" * 9000])
def test_unreadable_note_in_a_lock_is_ignored(line: bytes) -> None:
    note = promptlock.decode(line)

    assert (note.mark, note.used, note.question) == ("-", 0, "")
    assert promptlock.decode(promptlock.Note("00ff", 9, "a b: ").encode()).question == "a b: "


@pytest.mark.slow
def test_command_gets_thirty_seconds() -> None:
    assert refused("sleep 59", seconds=60) == "--mfa-command: sleep took longer than 30 s"


def test_command_gets_no_more_than_the_run_has_left() -> None:
    assert refused("sleep 60", seconds=0.3) == "--mfa-command: sleep took longer than 0.3 s"


def test_command_that_took_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Mfa("sleep 60", os.environ)
    with pytest.raises(CodeNotGiven):
        asker.with_code(DEVICE, "role r", Deadline(0.2), str)
    (child,) = asker.children.started

    assert child.wait(5) < 0


@pytest.mark.parametrize("name", ["TOKEN=geheim", "A=b=c"])
def test_word_that_only_a_shell_understands_is_not_shown(name: str) -> None:
    said = refused(f"{name} oathtool")

    assert "put `env` before it" in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("complaint", "shown"),
    [
        ("wrong PIN", ": wrong PIN"),
        ("first\\nlast\\n", ": last"),
        ("error: bad PIN\\nbye\\n", ": error: bad PIN"),
        ("your code is 123456", ": your code is ******"),
        ("try 3 of 5", ": try * of *"),
        ("", ""),
    ],
)
def test_last_words_of_a_failed_command_are_shown_without_digits(
    complaint: str, shown: str
) -> None:
    said = refused(f"sh -c \"printf '{complaint}' >&2; exit 4\"")
    assert said == f"--mfa-command: sh exited with status 4{shown}"


def test_program_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o700)

    assert refused(str(path)) == f"--mfa-command: {path} cannot be run: Exec format error"


def test_closed_terminal_has_no_prompt() -> None:
    reader, writer = os.pipe()  # no terminal: whatever a terminal can do fails
    opened = prompt.Prompt(reader)
    opened.show()
    with pytest.raises(NoPrompt, match="the terminal was closed"):
        mfa._typed(opened, "code: ", DEVICE, Deadline(20), flush=True)
    assert not prompt.is_foreground(reader)
    opened.leave()
    prompt.write(reader, b"lost")
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_lock_without_a_note_has_no_holder(tmp_path: Path) -> None:
    assert promptlock.PromptLocks(Store(str(tmp_path)))._holder("nothing.lock") == (None, "")
    said = promptlock._late("MFA device x", None, "")
    assert said == "timed out waiting for another credproc that is using MFA device x"


def test_ended_process_with_a_prompt_is_not_on_this_terminal() -> None:
    with subprocess.Popen(["sh", "-c", ":"]) as ended:
        ended.wait()
    said = mfa._notice(Holder(b"%d 1 2 3" % ended.pid), "MFA code for x (role y): ", "role z")

    waiting = "credproc: role z is waiting for the MFA prompt on another terminal"
    assert said.startswith(f"{waiting}: MFA code for x (role y) (")


def test_command_that_closes_its_output_and_goes_on_takes_too_long() -> None:
    said = refused("sh -c 'exec >&- 2>&-; sleep 60'", seconds=0.5)
    assert said == "--mfa-command: sh took longer than 0.5 s"


def test_prompt_that_was_never_shown_needs_no_end() -> None:
    asker = Mfa("", {})
    asker.resume()
    asker.end()
