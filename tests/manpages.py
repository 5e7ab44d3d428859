"""The manual pages, made from ``credproc/man/*.rst``: ``python -m tests.generated``.

The option texts come from the parsers: they are written into the pages of the two commands first.
docutils then makes the roff. A table becomes a list there: terminals are narrow.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import TYPE_CHECKING

from docutils import core, nodes  # type: ignore[import-untyped]
from docutils.writers import manpage  # type: ignore[import-untyped]

from credproc import __version__, options
from credproc.ctl import __main__ as ctl
from tests import artefacts, readme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The pages by the names of their sources: a section of the manual for each.
SECTIONS = {
    "credproc": 1,
    "credprocctl": 1,
    "errors": 7,
    "recipes": 7,
    "security": 7,
    "tools": 7,
}
GROUPS = {1: "User Commands", 7: "Miscellaneous"}
#: Around the part of a source that is made from a parser.
BEGIN, END = ".. options: begin\n", ".. options: end\n"
WIDTH = 106
#: Where the options of every command are written.
COMMON = "Every command has these. They come after it: ``credprocctl cache list --output json``.\n"

DATE = re.compile(r"^\d+\.\d+\.\d+ - (\d{4}-\d\d-\d\d)$", re.MULTILINE)

SETTINGS = {"report_level": 2, "halt_level": 2, "file_insertion_enabled": False}


def page(name: str) -> str:
    """Return the name of the manual page that is made from a source."""
    return name if SECTIONS[name] == 1 else f"credproc-{name}"


def path(name: str) -> Path:
    """Return the path of the page in the source tree."""
    return _folder() / f"{page(name)}.{SECTIONS[name]}"


def source(name: str) -> Path:
    """Return the path of the page's source."""
    return _folder() / f"{name}.rst"


def _folder() -> Path:
    return artefacts.source() / readme.MANUAL


def parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    return options.parser() if name == "credproc" else ctl.parser()


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser, and those of its commands, and of theirs."""
    yield parser
    for _, command in commands(parser):
        yield from parsers(command)


def commands(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser]]:
    """Return the commands of a parser, each with its own parser."""
    return [
        found
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for found in action.choices.items()
    ]


# The options, as reStructuredText.


def current(name: str) -> str:
    """Return the text of a source with the options that the parser has now."""
    text = source(name).read_text(encoding="utf-8")
    if SECTIONS[name] != 1:
        return text
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = _credproc() if name == "credproc" else _credprocctl()
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def _credproc() -> str:
    parts = [_heading("Options", "-")]
    for group in parser("credproc")._action_groups:
        if group._group_actions:
            parts += [_heading(_sentence(group.title or ""), "~"), _items(group._group_actions)]
    return "\n".join(parts)


def _credprocctl() -> str:
    top = parser("credprocctl")
    leaves = [each for each in parsers(top) if not commands(each)]
    common = [group for group in leaves[0]._action_groups if group.title == "common options"]
    own = [action for action in top._actions if action.option_strings]
    parts = [_heading("Options", "-"), _items(own)]
    parts += [_heading("Common options", "-"), COMMON, _items(common[0]._group_actions)]
    for name, command in commands(top):
        parts.append(_heading(_sentence(name), "-"))
        if commands(command):
            parts.append(f"{_marked(_sentence(command.description or ''))}\n")
        for leaf in parsers(command):
            if not commands(leaf):
                parts += _command(leaf, common[0].title or "")
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser, common: str) -> list[str]:
    """Return the parts about one command: usage, what it does, its arguments."""
    actions = [
        action
        for group in parser._action_groups
        if group.title != common
        for action in group._group_actions
        if not isinstance(action, argparse._HelpAction)
    ]
    about = _marked(" ".join((parser.description or "").split()))
    head = _heading(parser.prog, "~") if parser.prog.count(" ") > 1 else ""
    usage = f"``{_usage(parser, actions)}``\n"
    return [*filter(None, [head]), usage, _filled(about, ""), _items(actions)]


def _usage(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> str:
    if parser.usage:
        return parser.usage % {"prog": parser.prog}
    required = [_invocation(each) for each in actions if each.option_strings and each.required]
    places = [_invocation(action) for action in actions if not action.option_strings]
    return " ".join([parser.prog, *required, "[OPTION ...]", *places])


def _items(actions: list[argparse.Action]) -> str:
    """Return a definition list of arguments and options."""
    lines = []
    for action in actions:
        text = _marked(action.help or "")
        lines.append(f"``{_invocation(action)}``\n{_filled(text, '    ')}")
    return "".join(lines)


def _invocation(action: argparse.Action) -> str:
    """Return how an option or an argument is written."""
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None and action.metavar is None:
        metavar = f"{{{','.join(action.choices)}}}"
    if not action.option_strings:
        return {"?": f"[{metavar}]", "*": f"[{metavar} ...]"}.get(str(action.nargs), metavar)
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    return f"{names} [{metavar}]" if action.nargs == "?" else f"{names} {metavar}"


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _marked(text: str) -> str:
    """Return a text of --help with its commands and options as literals."""
    text = re.sub(r"`([^`]+)`", r"``\1``", text)
    option = re.compile(r"(?<![\w`-])(--?[a-z][\w-]*|--)(?![\w`])")
    parts = re.split(r"(``.+?``)", text)
    return "".join(part if part[:2] == "``" else option.sub(r"``\1``", part) for part in parts)


def _filled(text: str, indent: str) -> str:
    filled = textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return f"{filled}\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# The pages, as roff.


def roff(name: str, text: str) -> str:
    """Return the manual page that is made from a source with that text."""
    tree = core.publish_doctree(text, settings_overrides=SETTINGS)
    for table in list(tree.findall(nodes.table)):
        table.replace_self(_listed(table))
    for reference in list(tree.findall(nodes.reference)):
        _pointed(reference)
    writer = manpage.Writer()
    writer.translator_class = Page
    title, subtitle = tree.next_node(nodes.title), tree.next_node(nodes.paragraph)
    title[0] = nodes.Text(page(name))
    about = subtitle.astext().rstrip(".")
    first = about if about.split()[0] in ("AWS", "credproc") else about[0].lower() + about[1:]
    subtitle.replace_self(nodes.subtitle("", first.replace("-", "\\-")))
    Page.section, Page.group = str(SECTIONS[name]), GROUPS[SECTIONS[name]]
    made: bytes = core.publish_from_doctree(tree, writer=writer, settings_overrides=SETTINGS)
    return _tidied(made.decode("utf-8"))


def _tidied(text: str) -> str:
    """Return the page without the empty lines and the vertical spaces that mean nothing."""
    # A page has no empty lines but those of literal blocks.
    text = re.sub(r"(?ms)^\.nf\n.*?^\.fi$", lambda m: m[0].replace("\n\n", "\n\\&\n"), text)
    lines = [line for line in text.splitlines() if line]
    spaced = zip(lines, ["", *lines], strict=False)
    after = (".SH ", ".SS ", ".RS ", ".TP")
    tidied = [line for line, before in spaced if line != ".sp" or not before.startswith(after)]
    return "\n".join(tidied) + "\n"


def _listed(table: nodes.table) -> nodes.definition_list:
    """Return the table as a list: each row's first cell, and below it the others."""
    found = nodes.definition_list()
    heads = [entry.astext() for row in table.findall(nodes.thead) for entry in row[0]]
    for row in table.next_node(nodes.tbody):
        first, *others = row
        body = nodes.paragraph()
        for number, cell in enumerate(others, 1):
            if len(others) > 1:
                body += nodes.Text(f"{'; ' * (number > 1)}{heads[number]}: ")
            body += cell[0].children
        term = nodes.term("", "", *first[0].children)
        found += nodes.definition_list_item("", term, nodes.definition("", body))
    return found


def _pointed(reference: nodes.reference) -> None:
    """Turn a link into what a terminal can show: the name of the page, or the address."""
    text, where = " ".join(reference.astext().split()), reference.get("refuri", "")
    if where.startswith(("http:", "https:")) and where != text:
        reference.replace_self(nodes.Text(f"{text} ({where})"))
    elif match := re.fullmatch(r"(.+)(\(\d\))", text):
        reference.replace_self([nodes.strong("", match[1]), nodes.Text(match[2])])
    else:
        reference.replace_self(nodes.Text(text))


class Page(manpage.Translator):  # type: ignore[misc]
    """docutils' page without macros of its own, which not every reader of man pages knows."""

    section = group = ""

    def __init__(self, document: nodes.document) -> None:
        super().__init__(document)
        self.defs["indent"] = (".RS %.0f\n", ".RE\n")
        self.defs["literal_block"] = (".nf\n", "\n.fi\n")

    def visit_literal_block(self, node: nodes.literal_block) -> None:
        """Keep the block apart from what is above it."""
        self.body.append(".sp\n")
        super().visit_literal_block(node)

    def visit_term(self, node: nodes.term) -> None:
        """Keep the term on one line, as the macro for it needs."""
        for text in list(node.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(text.replace("\n", " ")))
        super().visit_term(node)

    def append_header(self) -> None:
        """Write the title, and the NAME by which apropos finds the page."""
        if any(line.startswith(".TH") for line in self.head):
            return
        self.header_written = 1
        known = self._docinfo
        self.head.append(
            f'.TH "{known["title_upper"]}" {self.section} "{date()}" "credproc {__version__}" '
            f'"{self.group}"\n.nh\n.ad l\n.SH NAME\n{known["title"]} \\- {known["subtitle"]}\n'
        )

    def visit_comment(self, _: nodes.comment) -> None:
        """Leave out the comments: they are for tests."""
        raise nodes.SkipNode

    def visit_section(self, node: nodes.section) -> None:
        """Write the header before the first section."""
        self.append_header()
        super().visit_section(node)

    def depart_document(self, _: nodes.document) -> None:
        """Leave out docutils' last comment."""


def date() -> str:
    """Return the day of the newest release that CHANGELOG.rst names."""
    changes = (artefacts.source() / "CHANGELOG.rst").read_text(encoding="utf-8")
    match = DATE.search(changes)
    return match[1] if match else ""
