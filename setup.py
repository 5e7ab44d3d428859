import tempfile

from setuptools import setup
from setuptools.command.egg_info import egg_info

#: What the sdist holds beside the package: what it takes to build, test and read about it.
EXTRA = """
include .constraints.txt .editorconfig .gitignore .pre-commit-config.yaml .ruff.toml CHANGELOG.rst
graft .ci
graft .github
graft findings
recursive-include credproc/man *.rst
graft tests
global-exclude *.py[cod]
"""


class EggInfo(egg_info):
    """Finds the files of the sdist without a MANIFEST.in."""

    def find_sources(self) -> None:
        """Add the files of EXTRA to those that setuptools finds."""
        super().find_sources()
        for line in EXTRA.strip().splitlines():
            self.filelist.process_template_line(line)


# Not in `build`, where a later build would pick up the modules of an earlier one.
with tempfile.TemporaryDirectory(prefix="credproc-build-") as folder:
    setup(cmdclass={"egg_info": EggInfo}, options={"build": {"build_base": folder}})
