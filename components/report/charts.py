"""Charts as inline SVG, drawn by matplotlib when the report is made.

Colours are written as CSS variables, so that one drawing serves the light and the dark page; text stays text. Charts
never contain names of classes or files.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup, escape
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Stand-ins for CSS variables: matplotlib knows colours only, and writes them as they are.
_VARIABLES = {
    "#f00001": "var(--series-1)",
    "#f00002": "var(--series-2)",
    "#f00003": "var(--series-3)",
    "#f00004": "var(--muted)",
    "#f00005": "var(--grid)",
}
SERIES = ("#f00001", "#f00002", "#f00003")
_MUTED, _GRID = "#f00004", "#f00005"
_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # colours are never the only difference
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "text.color": _MUTED,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}

# Of an axis of dates, by its unit (year, month, day, hour, minute, second): the ticks, those at the start of the next
# larger unit, and what all ticks have in common.
_DATES = ("%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S")
_AT_ZERO = ("", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M:%S")
_COMMON = ("", "%Y", "%Y", "%Y", "%Y-%m-%d", "%Y-%m-%d")

Points = tuple[Sequence[float], Sequence[float]]


def lines(
    name: str,
    series: Mapping[str, Points],
    x_label: str,
    percent: bool = False,
    whole_x: bool = True,
    y_label: str = "",
) -> Markup:
    """Draw a line for each series of (x, y), broken where y is NaN. `name` describes the chart to screen readers."""
    with _chart(name) as (axes, out):
        for (label, (x, y)), colour, style in zip(series.items(), SERIES, _STYLES):
            marker = "o" if len(y) == 1 or math.isnan(y[1]) else None  # a line of one point would not be seen
            axes.plot(x, y, color=colour, linestyle=style, linewidth=2, label=label, marker=marker)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if whole_x:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        else:
            axes.xaxis.set_major_formatter(PercentFormatter(1))
        if percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
            axes.set_ylim(top=min(axes.get_ylim()[1], 1.004))  # there is nothing above 100%
        if len(series) > 1:
            _legend(axes, len(series))
    return out[0]


class Curve(NamedTuple):
    """A line of an overlay."""

    label: str
    points: Points
    colour: int  # of SERIES; curves of one run share it
    dashed: bool


def overlay(name: str, curves: Sequence[Curve], x_label: str, y_label: str, percent: bool = False) -> Markup:
    """Draw curves of several runs on shared axes, broken where y is NaN."""
    with _chart(name) as (axes, out):
        for label, (x, y), colour, dashed in curves:
            marker = "o" if sum(not math.isnan(value) for value in y) == 1 else None
            width = 3.2 - 1.4 * colour  # curves that coincide are both seen
            axes.plot(
                x, y, color=SERIES[colour], linestyle=_STYLES[dashed], linewidth=width, label=label, marker=marker
            )
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
            axes.set_ylim(top=min(axes.get_ylim()[1], 1.01))
        else:
            axes.set_ylim(bottom=0, top=1.05 * max(axes.get_ylim()[1], 0.01))
        _legend(axes, 2)
    return out[0]


class Run(NamedTuple):
    """A run in the history of a metric."""

    when: datetime
    value: float
    low: float
    high: float
    label: str  # of its point, for people
    link: str | None  # to its report


def history(name: str, runs: Sequence[Run], y_label: str) -> Markup:
    """Draw a share over time: a point a run that links to its report, and the interval as a band."""
    times: list[Any] = [run.when for run in runs]
    with _chart(name, height=2.3) as (axes, out):
        low, high = [run.low for run in runs], [run.high for run in runs]
        axes.fill_between(times, low, high, color=SERIES[0], alpha=0.16, linewidth=0, label="interval")
        axes.plot(times, [run.value for run in runs], color=SERIES[0], linewidth=1.5, label=y_label)
        points = axes.scatter(times, [run.value for run in runs], s=52, color=SERIES[0], zorder=3)
        points.set_urls([run.link for run in runs])
        axes.xaxis.set_major_locator(locator := AutoDateLocator(minticks=2, maxticks=5))
        dates = ConciseDateFormatter(locator, formats=_DATES, zero_formats=_AT_ZERO, offset_formats=_COMMON)
        dates.format_ticks(axes.get_xticks())
        common = dates.get_offset()  # to all ticks; matplotlib would write it over the label of the axis
        dates.show_offset = False
        axes.xaxis.set_major_formatter(dates)
        axes.set_xlabel(f"start of the run, {common}" if common else "start of the run")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.01))
        axes.set_ylabel(y_label)
        _legend(axes, 2)
    # An image has no links for a screen reader: this is a group of them, each with its words.
    svg = str(out[0]).replace('role="img"', 'role="group"', 1)
    for run in runs:
        if run.link:
            words = escape(run.label)
            link = f'<a href="{escape(run.link)}"'
            svg = svg.replace(f"{link}>", f'{link} aria-label="{words}"><title>{words}</title>', 1)
    return Markup(svg)


def histograms(name: str, splits: Mapping[str, Points]) -> Markup:
    """Draw overlaid histograms of (bucket edges [N + 1], share of the images in each bucket [N]), of equal area."""
    with _chart(name) as (axes, out):
        for (label, (edges, shares)), colour, style in zip(splits.items(), SERIES, _STYLES):
            widths = [high - low for low, high in itertools.pairwise(edges)]
            density = [share / width for share, width in zip(shares, widths)]
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.1)
            axes.stairs(density, edges, color=colour, linewidth=1.8, linestyle=style, label=label)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", visible=False)
        axes.set_ylim(bottom=0)
        _legend(axes, len(splits))
    return out[0]


def calibration(name: str, confidence: Sequence[float], accuracy: Sequence[float], images: Sequence[int]) -> Markup:
    """Draw accuracy over mean confidence, one dot per bin, larger for more images, and the diagonal."""
    with _chart(name) as (axes, out):
        axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(confidence, accuracy, color=SERIES[0], linewidth=1.5)
        most = max(images)
        axes.scatter(confidence, accuracy, s=[16 + 150 * n / most for n in images], color=SERIES[0], zorder=3)
        axes.set_xlim(-0.02, 1.04)
        axes.set_ylim(-0.04, 1.06)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("confidence")
        axes.set_ylabel("accuracy")
    return out[0]


@contextmanager
def _chart(name: str, height: float = 3.0) -> Iterator[tuple[Any, list[Markup]]]:
    """Yield axes to draw on, and a list that holds the SVG afterwards."""
    out: list[Markup] = []
    settings: Any = {**_SETTINGS, "svg.hashsalt": name}  # matplotlib's type lists every key
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(5.3, height), layout="constrained")
        yield figure.add_subplot(), out
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    out.append(_inline(buffer.getvalue(), name))


def _inline(svg: str, name: str) -> Markup:
    """Return the bare <svg> element: no header, no ids but those referred to, colours and fonts of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r"#f0000[1-5]", lambda match: _VARIABLES[match[0]], svg)
    label = f'<svg class="chart" role="img" aria-label="{escape(name)}"'
    svg = re.sub(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', lambda match: f'{label} viewBox="{match[1]}">', svg, count=1)
    return Markup(svg.replace("xlink:href", "href"))


def _legend(axes: Any, columns: int) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0, columnspacing=1.4)
