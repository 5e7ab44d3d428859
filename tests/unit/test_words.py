"""Words that native readers stumble over stay out of what people read."""

from __future__ import annotations

import ast
import re
import tokenize
from typing import TYPE_CHECKING

import pytest

from tests import artefacts, manpages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = artefacts.source()

#: The words, and what to write instead.
WORDS = {
    r"held": "cached, locked",
    r"anew": "again",
    r"anybody|everybody|nobody|somebody|whoever": "name the person or the program",
    r"(?:is|are) meant": "the default is; did you mean",
    r"asked": "requested, called, fetched, prompted",
    r"stands?(?! for| in for|-)": "is, are",
    r"on the way": "a hop of the chain; between A and B",
    r"(?:is|are|was|were) to be had|what is there": "available, existing",
    r"(?:is|are|was|were) no (?:absolute|plain|private|regular|valid)": "is not an",
    r"lest|of (?:its|their) like": "so that ... not; similar",
    r"mend(?:s|ed|ing)?": "fix",
    r"in place of nothing|the whole of it": "name it",
}
#: In a phrase, words may be on two lines, of which the second may begin a comment.
FOUND = re.compile(
    "|".join(rf"\b(?:{word})\b" for word in WORDS).replace(" ", r"\s+(?:[#*]:?\s+)?"), re.IGNORECASE
)

#: What people read: the product and its tests with their docstrings and comments, and every page.
PATTERNS = (
    *("*.rst", ".github/*.rst", "setup.py", "tests/**/*.rst", "tests/**/*.py"),
    *("credproc/**/*.py", "credproc/**/*.rst", "credproc/*.c"),
)
#: Files that need such a word: this one, and errors in AWS's own words.
EXCEPTIONS = ("tests/unit/test_words.py", "tests/servers/sts_errors.py")
PATHS = sorted(
    {path for pattern in PATTERNS for path in ROOT.glob(pattern)}
    - {ROOT / name for name in EXCEPTIONS}
)


def pieces(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings and comments of a module, or another file whole, with their first lines."""
    if path.suffix != ".py":
        yield 1, path.read_text(encoding="utf-8")
        return
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    comments = [(each.start[0], each.string) for each in tokens if each.type == tokenize.COMMENT]
    last = 0
    block = ""
    for number, text in [*comments, (0, "")]:
        if number != last + 1 and block:
            yield last - block.count("\n"), block
            block = ""
        block = f"{block}\n{text}" if block else text
        last = number


def strange(path: Path, root: Path = ROOT) -> list[str]:
    """Return where a file has one of the words, and the word."""
    return [
        f"{path.relative_to(root)}:{first + text[: match.start()].count(chr(10))}: {match[0]}"
        for first, text in pieces(path)
        for match in FOUND.finditer(text)
    ]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_in_plain_words(path: Path) -> None:
    assert strange(path) == []


@pytest.mark.parametrize("name", ["credproc", "credprocctl"])
def test_help_is_in_plain_words(name: str) -> None:
    texts = [each.format_help() for each in manpages.parsers(manpages.parser(name))]
    assert [match[0] for text in texts for match in FOUND.finditer(text)] == []


def test_words_are_found_in_strings_docstrings_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""It is\nasked anew."""\n\nheld = f"nobody {1}"  # whoever\n'
        'anew = "a standard lesson"\n# This is what\n# is there.\n'
    )

    assert sorted(strange(path, tmp_path)) == [
        "module.py:2: anew",
        "module.py:2: asked",
        "module.py:4: nobody",
        "module.py:4: whoever",
        "module.py:6: what\n# is there",
    ]
