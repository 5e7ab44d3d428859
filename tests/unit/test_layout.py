"""The README's list of the modules: whole, in the modules' own words, and imports go down it."""

from __future__ import annotations

import ast
import re

import pytest

from tests import artefacts, readme

#: The imports that go up: the detached child runs the whole command once more; and what a shell
#: completes is all that credprocctl knows.
UP = {"background": {"cli"}, "ctl.completion": {"ctl.__main__"}}

PACKAGE = artefacts.source() / "credproc"


def modules() -> dict[str, ast.Module]:
    """Return the modules by their names below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def first_line(name: str) -> str:
    """Return what a module says it is."""
    return (ast.get_docstring(MODULES[name]) or "").partition("\n")[0].rstrip(".")


def imports(tree: ast.AST) -> set[str]:
    """Return which of the modules are imported, anywhere but for type checkers."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "credproc":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".partition(".")[2]
                outer = (node.module or "").partition(".")[2]
                found.add(inner if inner in MODULES else outer or "__init__")
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("credproc") for alias in node.names)
        found |= imports(node)
    return found


def listed(table: int, package: str = "") -> list[tuple[str, str]]:
    """Return the names and the texts of one of the README's tables of modules."""
    rows = readme.section("Contributing").tables[table]
    return [(package + name.strip("`"), text) for name, text in rows]


LISTED, OF_CTL = listed(0), listed(1, "ctl.")
#: credprocctl's modules stand where the first table has them as one.
ORDER = [name for name, _ in [*OF_CTL, *LISTED]]


def test_every_module_is_listed_with_its_first_line() -> None:
    assert sorted(ORDER) == sorted(MODULES)
    assert dict(OF_CTL + LISTED) == {name: first_line(name) for name in MODULES}
    assert not [name for name, _ in LISTED if name.startswith("ctl.")]


@pytest.mark.parametrize("name", ORDER)
def test_imports_go_down_the_list(name: str) -> None:
    below = ORDER[ORDER.index(name) + 1 :]

    up = {each for each in imports(MODULES[name]) if each not in below and each != name}
    assert up <= UP.get(name, set())


def test_commands_of_credprocctl_take_nothing_from_each_other() -> None:
    commands = [name for name, text in OF_CTL if text.startswith("credprocctl ")]
    taken = [
        (name, each)
        for name, _ in OF_CTL
        for each in imports(MODULES[name])
        if each in commands and name != "ctl.__main__" and not each.startswith(f"{name}_")
    ]

    assert len(commands) == 12
    assert taken == []


def test_modules_and_functions_are_short() -> None:
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 300:
            long.append(path.name)
        long += [
            f"{path.name}: {node.name}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
        ]

    assert long == []


def test_what_is_not_measured_has_its_reason() -> None:
    lines = [
        line for path in PACKAGE.rglob("*.py") for line in path.read_text("utf-8").splitlines()
    ]
    pragmas = [line for line in lines if "pragma" in line]

    assert [line for line in pragmas if not re.search(r"# pragma: no \w+ - \w+ \w+", line)] == []
    assert [line for line in pragmas if re.search(r" - as (above|below|said)", line)] == []
    assert len(pragmas) < 20


def test_nothing_of_the_package_imports_credprocctl() -> None:
    assert LISTED[0][0] == "ctl"
    assert not [
        (name, each)
        for name, _ in LISTED
        for each in imports(MODULES[name])
        if each.split(".")[0] == "ctl"
    ]
