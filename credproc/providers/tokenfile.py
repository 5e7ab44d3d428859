"""A file with one token: a web identity's, or a container's authorization token."""

from __future__ import annotations

from credproc import slips, system
from credproc.errors import ProviderFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from credproc.run import Run


def contents(run: Run, path: str, what: str, again: bool = False) -> str:
    """Return the token in a file; ProviderFailed, which names ``what`` it is, if it has none.

    With ``again``, read the file again instead of using what this run has read before.
    """
    try:
        text = run.contents(path, again).decode("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = str(error) if isinstance(error, system.Unfit) else "is not text"
        reason = getattr(error, "strerror", None) or reason
        hint = " (~ is not expanded)" if path.startswith("~") else slips.slip(path)
        raise ProviderFailed(f"{what}: {path}: {reason}{hint}") from None
    if not text:
        raise ProviderFailed(f"{what}: {path} is empty")
    return text
