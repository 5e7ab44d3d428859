"""The table and the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bench.timing import Row


def table(rows: Sequence[Row], floor: Row, reference: Row) -> str:
    """Return a reStructuredText table: median, quartiles, and ratios to two of the rows."""
    lines = [("", "median ms", "quartiles", f"x {floor.name}", f"x {reference.name}")]
    for row in rows:
        low, high = row.spread
        lines.append(
            (
                row.name,
                f"{row.median:.1f}",
                f"{low:.1f} to {high:.1f}",
                f"{row.median / floor.median:.2f}",
                f"{row.median / reference.median:.2f}",
            )
        )
    return simple(lines)


def simple(lines: Sequence[Sequence[str]]) -> str:
    """Return a simple table of reStructuredText; the first line is its head."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    rule = "  ".join("=" * max(width, 2) for width in widths)
    shown = [
        "  ".join(
            (cell or "\\").ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([rule, shown[0], rule, *shown[1:], rule])


def picture(rows: Sequence[Row], folder: Path, header: Sequence[str]) -> None:
    """Draw the medians as bars on a logarithmic axis, as SVG and PNG."""
    import matplotlib as mpl  # type: ignore[import-not-found]  # in the benchmark's venv only

    mpl.use("Agg")
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = "credproc"
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(rows) + 1.6))
    ordered = sorted(rows, key=lambda row: row.median, reverse=True)
    colors = ["#1f77b4" if row.name.startswith("credproc") else "#b0b7bf" for row in ordered]
    bars = axes.barh([row.name for row in ordered], [row.median for row in ordered], color=colors)
    axes.bar_label(bars, [f"{row.median:.1f} ms" for row in ordered], padding=4)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds of a whole process, median (logarithmic)")
    axes.set_title("Cached credentials", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15)
    figure.text(0.01, 0.005, header[0], fontsize=6, color="#666666")
    figure.tight_layout()
    for ending in ("svg", "png"):
        metadata = {"Date": None} if ending == "svg" else None
        figure.savefig(folder / f"hit.{ending}", dpi=150, metadata=metadata)
