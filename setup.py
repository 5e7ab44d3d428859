import tempfile

from setuptools import setup

# Not in `build`, where a later build would find the modules of an earlier one.
with tempfile.TemporaryDirectory(prefix="credproc-build-") as folder:
    setup(options={"build": {"build_base": folder}})
