"""An error that nobody foresaw, in words."""

from __future__ import annotations

import os
import traceback


def mistake(error: Exception) -> str:
    """Return what to say of it: not its text, which may hold anything."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return (
        f"a mistake in credprocctl: {type(error).__name__} at {where}; please report what -v tells"
    )
