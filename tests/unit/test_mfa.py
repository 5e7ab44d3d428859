"""Whoever knows the code of an MFA device."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from credproc import mfa
from credproc.deadline import Deadline
from credproc.errors import CodeNotGiven, UsageError
from credproc.mfa import Mfa

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = "arn:aws:iam::111122223333:mfa/me"


def code(command: str, seconds: float = 20) -> str:
    """Return the code that a command gives."""
    return Mfa(command, os.environ).code(DEVICE, Deadline(seconds))


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
    assert mfa.split(command) == words


@pytest.mark.parametrize(
    ("command", "reason"),
    [("", "must be a command"), (" ", "must be a command"), ("'' x", "must be a command"),
     ("a 'b", "no closing quotation"), ("a \\", "no escaped character")],
)  # fmt: skip
def test_command_that_is_none_is_refused(command: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^--mfa-command: {reason}$"):
        mfa.split(command)


def test_person_is_needed_where_no_command_is_given() -> None:
    assert Mfa("", {}).needs_person
    assert not Mfa("oathtool", {}).needs_person


@pytest.mark.parametrize("printed", ["123456", "123456\\n", " 123456\\r\\n", "\\n\\t123456 "])
def test_blanks_around_a_code_are_no_part_of_it(printed: str) -> None:
    assert code(f"printf '{printed}'") == "123456"


@pytest.mark.parametrize(
    "printed", ["", "12345", "1234567", "12345a", "123 456", "\\357\\274\\221"]
)
def test_whatever_is_no_code_is_refused(printed: str) -> None:
    said = refused(f"printf '{printed}'")

    assert said == f"--mfa-command gave no MFA code for {DEVICE}: a code is six digits"


def test_command_gets_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mfa.COMMAND_SECONDS == 30
    monkeypatch.setattr(mfa, "COMMAND_SECONDS", 0.3)
    started = time.monotonic()

    assert refused("sleep 60") == "--mfa-command: sleep took longer than 0.3 s"
    assert time.monotonic() - started < 10


def test_command_gets_no_more_than_the_run_has_left() -> None:
    assert refused("sleep 60", seconds=0.3) == "--mfa-command: sleep took longer than 0.3 s"


def test_command_that_took_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Mfa("sleep 60", os.environ)
    with pytest.raises(CodeNotGiven):
        asker.code(DEVICE, Deadline(0.2))
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
        ("your code is 123456", ": your code is ******"),
        ("try 3 of 5", ": try * of *"),
        ("", ""),
    ],
)
def test_last_words_of_a_failed_command_are_shown_without_digits(
    complaint: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mfa, "_terminal", lambda _: None)

    said = refused(f"sh -c \"printf '{complaint}' >&2; exit 4\"")
    assert said == f"--mfa-command: sh ended with status 4{shown}"


def test_program_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o700)

    assert refused(str(path)) == f"--mfa-command: {path} cannot be run: Exec format error"


def test_question_that_nobody_asked_needs_no_end() -> None:
    Mfa("", {}).leave()


def test_terminal_that_is_lost_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    pipes: list[int] = []

    def lost(_: int) -> int:
        pipes.extend(os.pipe())
        return os.dup(pipes[0])  # no terminal any more: whatever is asked of it fails

    monkeypatch.setattr(mfa, "_terminal", lost)

    with pytest.raises(CodeNotGiven, match="there is no terminal"):
        Mfa("", {}).code("arn:aws:iam::111122223333:mfa/ann", Deadline(20))
    for descriptor in pipes:
        os.close(descriptor)
