"""The manual pages: ``python -m tests.manpages`` writes them anew, from the parsers and the README.

argparse-manpage makes them of the parsers; what --help says below the options, and the tables of
the README, become sections.
"""

from __future__ import annotations

import argparse
import functools
import re
import textwrap
from typing import TYPE_CHECKING

from argparse_manpage.manpage import Manpage  # type: ignore[import-untyped]

from credproc import __version__, options
from credproc.ctl import __main__ as ctl
from tests import artefacts, readme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What stands behind the name in NAME; apropos finds the page by it.
ABOUT = {
    "credproc": "print temporary AWS credentials for credential_process, from a cache",
    "credprocctl": "set credproc up, look inside, and find out why it does not work",
}
#: The last option of each page, which argparse-manpage leaves out: --help's own words are about
#: its text.
HELP = {
    "credproc": "print a summary of the options, with examples",
    "credprocctl": "print a summary; behind a command, of that command",
}
#: Wide enough that nothing is wrapped before the page itself is.
WIDE = functools.partial(argparse.RawDescriptionHelpFormatter, width=10_000)

#: The day of the last change that a reader would notice.
DATE = "2026-11-28"
#: What argparse-manpage calls the groups of a command's options.
GROUPS = ("arguments:", "options:", "common options")

#: What credprocctl takes some variables for, apart from what it says of credproc's runs.
ACTS_AS = (
    "``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID``, ... (for credprocctl itself)",
    "who ``credprocctl role`` acts as, as for the AWS CLI; doctor takes the profile, too",
)

#: Of --help's last part, what becomes of what starts so; the README's tables know more of some.
EPILOG = {
    "examples, ": "EXAMPLES",
    "by hand and in scripts": "EXAMPLES",
    "on an EC2 instance, from nothing to credentials": "EXAMPLES",
    "exit status": "EXIT STATUS",
}


def pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    both = {
        "ENVIRONMENT": _table("Environment and config", tables=2),
        "FILES": _table("Files"),
    }
    own = f".TP\n{_inline(ACTS_AS[0])}\n{_inline(ACTS_AS[1])}\n{both['ENVIRONMENT']}"
    status = {"EXIT STATUS": _table("Output and exit status", first=1)}
    return {
        "credproc": _page(options.parser(), {**both, **status}, "credprocctl"),
        "credprocctl": _page(ctl.parser(), both | {"ENVIRONMENT": own}, "credproc"),
    }


def path(name: str) -> Path:
    """Return where the page is kept in the source tree."""
    return artefacts.source() / "credproc" / "man" / f"{name}.1"


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser, and those of its commands, and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def _page(parser: argparse.ArgumentParser, tables: dict[str, str], other: str) -> str:
    sections = {**_epilog(parser.epilog or ""), **tables}
    parser.epilog = None
    for each in parsers(parser):
        each.formatter_class = WIDE
    made = Manpage(parser, {"date": "-"}, format="single-commands-section")
    made.description = ABOUT[parser.prog]
    order = ("EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES")
    lines = str(made).splitlines()
    lines[0] = f'.TH {parser.prog.upper()} 1 {DATE} "credproc {__version__}" "User Commands"'
    for name in order:
        if name in sections:
            lines += [f".SH {name}", sections[name]]
    lines += [".SH SEE ALSO", f".BR {other} (1),", ".BR aws (1)"]
    return "\n".join(_tidied(lines, parser)) + "\n"


def _tidied(lines: list[str], parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines as a page wants them: options under one heading, paragraphs by macros."""
    titles = {group.title.upper(): group.title for group in parser._action_groups if group.title}
    text = "\n".join(lines).replace(".SH\nCOMMANDS", ".SH COMMANDS")
    # Of a command, its line of help, which the description repeats.
    text = re.sub(r"(?<=\n)(\.SS .*\n).*\n\n(usage: )", r"\1\2", text)
    version = r".TP\n\\fB\\-\\-version\\fR\n.*\n"
    asked = f".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n{_escaped(HELP[parser.prog])}\n"
    text = re.sub(version, lambda match: match[0] + asked, text)
    begun = apart = False
    for line in text.splitlines():
        title = titles.get(line.removeprefix(".SH "), "")
        if title and title not in ("commands", "options"):
            yield from [] if begun else [".SH OPTIONS"]
            begun = True
            yield f".SS {_escaped(_sentence(title))}"
        elif line.startswith("usage: "):
            yield from (f".B {parser.prog}", line.removeprefix(f"usage: {parser.prog} "))
        elif line in GROUPS:
            yield from (".PP", f"{_sentence(line.rstrip(':'))}:")
        elif line:
            yield from [".PP"] if apart and line[0] not in ".\\" else []
            yield line
        apart = not line


def _epilog(text: str) -> dict[str, str]:
    """Return the sections of --help's last part, as it is laid out there."""
    found: dict[str, str] = {}
    for part in re.split(r"\n(?=\S)", text):
        head, _, body = part.partition(":\n")
        name = next((each for start, each in EPILOG.items() if head.startswith(start)), None)
        if name is None:
            continue
        lead = _sentence(head.removeprefix(f"{name.lower()}, "))
        lines = [] if head == name.lower() else [".PP", _escaped(f"{lead}:")]
        lines += [".PP"] if lines else []
        lines += [".nf", _literal(textwrap.dedent(body).strip("\n")), ".fi"]
        found[name] = "\n".join([*found.get(name, "").splitlines(), *lines])
    return {name: block.removeprefix(".PP\n") for name, block in found.items()}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _literal(text: str) -> str:
    return "\n".join(f"\\&{_escaped(line)}" if line else ".sp" for line in text.splitlines())


def _table(title: str, first: int = 0, tables: int = 1) -> str:
    """Return the rows of a section's tables in the README, from that row on."""
    rows = [row for table in readme.section(title).tables[:tables] for row in table[first:]]
    return "\n".join(f".TP\n{_inline(row[0])}\n{_inline(row[-1])}" for row in rows)


def _inline(text: str) -> str:
    """Return a cell of the README with its literals in bold."""
    text = re.sub(r"`([^`<]+?)`_", r"\1", text)
    parts = re.split(r"``(.+?)``", text)
    return "".join(
        f"\\fB{_escaped(part)}\\fR" if number % 2 else _escaped(part.replace("*", ""))
        for number, part in enumerate(parts)
    )


def _escaped(text: str) -> str:
    """Return the text as roff shows it as it is."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        path(name).parent.mkdir(exist_ok=True)
        path(name).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
