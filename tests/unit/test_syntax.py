"""Why a config file cannot be parsed, as it comes from configparser and through botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError

from credproc.syntax import unreadable

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{SECRET}\n", ", line 1: C: it is not a complete [section] header, and there is"),
        (f"[{SECRET}\n", ", line 1: C: it is not a complete [section] header, and there is"),
        ("\ufeff[a]\n", ", line 1: C: it begins with a byte order mark (BOM)"),
        (f"[a]\n\n{SECRET}\n", ", line 3: C: it is neither a complete [section] header nor"),
        (f"[a]\n[{SECRET}\n{SECRET}\n", ", line 2: C: it is neither a complete [section] header"),
        (f"[{SECRET}]\n[{SECRET}]\n", ", line 2: C: duplicate section"),
        (f"[a]\n{SECRET}=1\n{SECRET}=1\n", ", line 3: C: duplicate key in this section"),
        (f"[a]\nb =\n  {SECRET}\n", ": C: a line of an indented block must be KEY = VALUE"),
        (f"[a]\nb = \udcff{SECRET}\n", ": C: it is not UTF-8"),
    ],
)
def test_line_and_reason_are_reported_without_the_text_of_the_line(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(ConfigParseError) as caught:
        load_config(str(path))
    passed_on: Any = caught.value.kwargs
    said = str(unreadable("x", passed_on["error"]))

    assert said.startswith("x" + words.replace("C:", "cannot be parsed as a config file:"))
    assert SECRET.lower() not in said.lower()


def test_locale_that_cannot_read_the_file_is_named() -> None:
    error = UnicodeDecodeError("ascii", b"\xc3", 0, 1, "")
    assert "the locale's encoding is ascii: set LANG=C.UTF-8" in str(unreadable("x", error))
