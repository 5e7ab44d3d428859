"""What is shown fits its terminal, or is whole where there is none."""

from __future__ import annotations

import fcntl
import io
import json
import os
import struct
import termios
from typing import Any

import pytest

from credproc.ctl.output import Console, Result, columns, legible, short, size, span


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def console(width: int = 40, **environ: Any) -> Console:
    """Return a console on a terminal of that width."""
    return Console({**environ, "COLUMNS": str(width)}, stdout=Terminal(), stderr=io.StringIO())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (599, "9 min 59 s"),
        (600, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (-61, "1 min 1 s"),
    ],
)
def test_span_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3 * 2**30, "3 GiB"), (2**50, "1024 TiB")],
)
def test_size_in_bytes(count: int, text: str) -> None:
    assert size(count) == text


def test_table_is_aligned_and_whole_where_it_is_piped() -> None:
    plain = Console({}, stdout=io.StringIO(), stderr=io.StringIO())

    text = plain.table(("A", "LONGER"), [("1", "x" * 300), ("three", "")])

    assert text == f"A      LONGER\n1      {'x' * 300}\nthree\n"


def test_last_column_is_folded_at_the_width_of_a_terminal() -> None:
    narrow = console(40, NO_COLOR="1")

    text = narrow.table(("A", "B"), [("1", "  a role with a name and an account, in words")])

    assert text == "A  B\n1    a role with a name and an account,\n     in words\n"


def test_last_column_without_room_goes_below_its_row() -> None:
    narrow = console(40, NO_COLOR="1")
    name = "a-long-name-that-is-never-cut"

    text = narrow.table(("NAME", "COMMAND"), [(name, "credproc --profile role"), ("b", "")])

    assert text == f"NAME\n    COMMAND\n{name}\n    credproc --profile role\nb\n"


def test_columns_without_room_become_lines() -> None:
    narrow = console(40, NO_COLOR="1")
    rows = [("a-role-with-a-long-name", "fresh", "i-0a1b2c3d4e5f60718", "for reports"),
            ("web", "-", "", ""), ("", "", "", "-> a note")]  # fmt: skip

    text = narrow.table(("ROLE", "STATE", "INSTANCES", "DESCRIPTION"), rows)

    assert text == (
        "a-role-with-a-long-name\n"
        "  STATE        fresh\n"
        "  INSTANCES    i-0a1b2c3d4e5f60718\n"
        "  DESCRIPTION  for reports\n"
        "web\n"
        "  STATE        -\n"
        "               -> a note\n"
    )
    assert all(len(line) <= 40 for line in text.splitlines())


def test_states_are_in_color() -> None:
    text = console(40).table(("STATE", "B"), [("fresh", "fresh"), ("other", "x")])

    assert text.splitlines()[1:] == ["\x1b[32mfresh\x1b[0m  fresh", "other  x"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("arn:aws:iam::123456789012:role/reports", "reports@123456789012"),
        ("a arn:aws-us-gov:iam::123456789012:role/a/b/ops b", "a ops@123456789012 b"),
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/ann"),
    ],
)
def test_role_is_shown_as_people_name_it(text: str, shown: str) -> None:
    assert short(text) == shown


def test_wide_letters_take_two_columns() -> None:
    plain = Console({}, stdout=io.StringIO(), stderr=io.StringIO())

    text = plain.table(("A", "B"), [("名前", "x"), ("ab", "y"), ("e\u0301", "z")])

    assert text.splitlines() == ["A     B", "名前  x", "ab    y", "e\u0301     z"]
    assert columns("名前") == 4


def test_text_is_folded_right_of_its_name() -> None:
    text = console(30).pairs([("name", "one two three four five six"), ("x", "")])

    assert text == "name  one two three four five\n      six\nx\n"


def test_value_is_in_its_color_and_its_name_is_not() -> None:
    text = console(20).pairs([("a", "one two three four five")], {"a": "ok"})

    assert text == "a  \x1b[32mone two three four\x1b[0m\n   \x1b[32mfive\x1b[0m\n"


def test_long_word_is_left_whole() -> None:
    arn = "arn:aws:iam::123456789012:role/a-long-name-that-is-copied"

    assert arn in console(30).pairs([("role", arn)])


@pytest.mark.parametrize(
    ("environ", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colors_only_where_they_are_wanted(environ: dict[str, Any], colored: bool) -> None:
    text = console(**environ).paint("bad", "fail")

    assert text == ("\x1b[1;31mbad\x1b[0m" if colored else "bad")


def test_no_colors_where_it_is_piped() -> None:
    assert Console({}, stdout=io.StringIO()).paint("bad", "fail") == "bad"


def test_what_is_shown_obeys_no_escape_of_others() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    plain = Console({}, stdout=stdout, stderr=stderr)

    plain.say("a\x1b[31mb\nc")
    plain.note("a\x1b[31mb\nc")
    text = plain.table(("H",), [("\x1b]0;title\x07",)]) + plain.pairs([("n", "\x1b[2J")])

    assert "\x1b" not in stdout.getvalue() + stderr.getvalue() + text
    assert stdout.getvalue().count("\n") == stderr.getvalue().count("\n") == 1
    assert legible("  in\x1bdented") == "  in dented"


def test_stdout_is_one_json_document_for_machines() -> None:
    stdout = io.StringIO()
    machine = Console({}, machine=True, stdout=stdout, stderr=io.StringIO())

    machine.say("step")
    machine.lines(["line"])
    machine.show(Result("text\n", {"ä": 1}))

    assert json.loads(stdout.getvalue()) == {"ä": 1}
    assert stdout.getvalue().isascii()
    assert stdout.getvalue().endswith("}\n")


def test_width_of_a_terminal_is_its_own_where_columns_is_not_set() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 33, 0, 0))
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal:
        assert Console({}, stdout=terminal).width == 33
        assert Console({"COLUMNS": "44"}, stdout=terminal).width == 44
