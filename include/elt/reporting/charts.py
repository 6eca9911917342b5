"""Charts as SVG: few marks, no colours of their own, so that light and dark are CSS's to choose."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from elt.reporting.numbers import Row, brief, is_number, shown, unit_of

# what an eye can still tell apart; more is in the table and the CSV
MOST_BARS = 12
MOST_COLUMNS = 24
MOST_DAYS = 92
# of what is drawn in; a phone shows it at two thirds, a wall screen at a fifth more
WIDTH = 440
_LEAST, _MOST = 0.68, 1.2
_FONT = "Source Sans 3"
_TEXT, _QUIET, _LINE, _ACCENT = "var(--text)", "var(--quiet)", "var(--line)", "var(--accent)"
_CONFIG = {
    "aria": False,
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "concat": {"spacing": 26},
    "axis": {
        "domain": False,
        "ticks": False,
        "grid": False,
        "gridColor": _LINE,
        "labelColor": _QUIET,
        "labelFontSize": 12,
        "labelPadding": 8,
        "title": None,
    },
    "title": {
        "anchor": "start",
        "color": _TEXT,
        "fontSize": 13,
        "fontWeight": "normal",
        "offset": 10,
        "frame": "group",
    },
}
# vega-expressions of an axis, by unit
_AXIS_LABELS = {
    "usd": "'$' + format(datum.value, ',')",
    "rate": "format(datum.value, '.0%')",
    "seconds": "datum.value >= 172800 ? format(datum.value / 86400, ',.3~r') + ' d'"
    " : datum.value >= 7200 ? format(datum.value / 3600, ',.3~r') + ' h'"
    " : datum.value >= 120 ? format(datum.value / 60, ',.3~r') + ' min'"
    " : format(datum.value, ',') + ' s'",
}


def draw(
    kind: str, x: str, y: Sequence[str], rows: Sequence[Row], labels: Mapping[str, str]
) -> str:
    """Return a chart as SVG; nothing if there is nothing to draw.

    Args:
        kind: `lines` over days, the last 92 of them, one panel for each measure; `bars` for named
            things, the first 12; `columns` for bands in their order, the first 24.
        x: the column of days, names or bands.
        y: the columns of measures; all but `lines` take the first alone.
        rows: of the question, in its order.
        labels: what a column is called.
    """
    wanted: Sequence[Row] = [row for row in rows if row[x] is not None]
    if kind == "lines":
        panels = [_lines(x, one, wanted[-MOST_DAYS:], labels[one]) for one in y]
        panels = [panel for panel in panels if panel is not None]
    else:
        most, chart = (MOST_BARS, _bars) if kind == "bars" else (MOST_COLUMNS, _columns)
        if kind == "bars":
            wanted = _summed(x, y[0], wanted)
        panels = [chart(x, y[0], [row for row in wanted[:most] if is_number(row[y[0]])])]
    return _as_svg(panels) if panels and panels[0] is not None else ""


def sparkline(values: Sequence[float | None], width: int = 120, height: int = 32) -> str:
    """Return a small line of values over days as SVG; nothing if there are fewer than two."""
    first = next((place for place, value in enumerate(values) if value is not None), 0)
    values = values[first:]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, span = min(known), max(known) - min(known)
    points = [
        (
            2 + place * (width - 6) / (len(values) - 1),
            height / 2 if not span else 3 + (height - 6) * (1 - (value - low) / span),
        )
        for place, value in enumerate(values)
        if value is not None
    ]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    end_x, end_y = points[-1]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<polyline points="{path}"/><circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="2.5"/></svg>'
    )


# of a picture, which has no style sheet: those of the page by day
_OF_PICTURES = {_TEXT: "#1d2420", _QUIET: "#59635d", _LINE: "#e3e2db", _ACCENT: "#2c7a55"}
_PANELS_ABREAST = 3


def picture(x: str, y: Sequence[str], rows: Sequence[Row], labels: Mapping[str, str]) -> bytes:
    """Return measures over days as a PNG, a small panel each; nothing if there is nothing to draw.

    Args:
        x: the column of days.
        y: the columns of measures.
        rows: in the order of days, the last 92 of which are drawn.
        labels: what a column is called.
    """
    import altair as alt
    import vl_convert

    drawn = [_lines(x, one, rows[-MOST_DAYS:], labels[one]) for one in y]
    panels = [panel.properties(width=220, height=80) for panel in drawn if panel is not None]
    if not panels:
        return b""
    spec = alt.concat(*panels, columns=_PANELS_ABREAST).to_dict()
    spec["config"] = {**_CONFIG, "background": "#ffffff", "font": "sans-serif", "padding": 16}
    said = json.dumps(spec)
    for variable, colour in _OF_PICTURES.items():
        said = said.replace(variable, colour)
    png: bytes = vl_convert.vegalite_to_png(said, scale=1.5)
    return png


def _summed(x: str, y: str, rows: Sequence[Row]) -> Sequence[Row]:
    """Return one row for each name, the largest first; rows as they are if no name comes twice."""
    if len({row[x] for row in rows}) == len(rows):
        return rows
    sums: dict[Any, Any] = {}
    for row in rows:
        if is_number(row[y]):
            sums[row[x]] = sums.get(row[x], 0) + row[y]
    return [{x: name, y: value} for name, value in sorted(sums.items(), key=lambda one: -one[1])]


def _lines(x: str, y: str, rows: Sequence[Row], label: str) -> Any:
    import altair as alt

    values: list[dict[str, Any]] = [
        {"x": f"{row[x]}", "y": float(row[y])} for row in rows if is_number(row[y])
    ]
    if not values:
        return None
    is_short = len(values) <= 14
    ticks: dict[str, Any] = (
        {"values": [one["x"] for one in values]} if is_short else {"tickCount": 6}
    )
    days = alt.X(
        "x:T",
        axis=alt.Axis(format="%-d %b", labelFlush=True, labelOverlap=True, **ticks),
        scale=alt.Scale(type="utc"),
    )
    measure = alt.Y(
        "y:Q",
        axis=alt.Axis(grid=True, tickCount=3, labelExpr=_label(y)),
        scale=alt.Scale(zero=True, nice=True),
    )
    base = alt.Chart(alt.Data(values=values)).encode(x=days, y=measure)
    line = base.mark_line(stroke=_ACCENT, strokeWidth=2, interpolate="monotone")
    area = base.mark_area(fill=_ACCENT, fillOpacity=0.1, interpolate="monotone")
    layers = [area, line]
    if is_short:
        layers.append(base.mark_circle(color=_ACCENT, size=45, opacity=1))
    return alt.layer(*layers).properties(width=WIDTH, height=110, title=label)


def _bars(x: str, y: str, rows: Sequence[Row]) -> Any:
    import altair as alt

    if not rows:
        return None
    values: list[dict[str, Any]] = [
        {"n": place, "x": shown(x, row[x]), "y": float(row[y]), "label": brief(y, row[y])}
        for place, row in enumerate(rows)
    ]
    # a place of its own for each, as two may be called the same
    names = {value["n"]: value["x"] for value in values}
    order = alt.Y(
        "n:O",
        axis=alt.Axis(
            labelExpr=f"{_js(names)}[datum.value]",
            labelLimit=200,
            labelColor=_TEXT,
            labelFontSize=13,
        ),
        scale=alt.Scale(paddingInner=0.35),
    )
    base = alt.Chart(alt.Data(values=values)).encode(
        y=order, x=alt.X("y:Q", axis=None, scale=alt.Scale(domainMin=0))
    )
    bars = base.mark_bar(fill=_ACCENT, cornerRadiusEnd=3)
    ends = base.mark_text(align="left", baseline="middle", dx=6, fill=_TEXT, fontSize=13).encode(
        text="label:N"
    )
    return (bars + ends).properties(width=WIDTH / 2, height=alt.Step(30))


def _columns(x: str, y: str, rows: Sequence[Row]) -> Any:
    import altair as alt

    if not rows:
        return None
    values = [
        {"x": shown(x, row[x]), "y": float(row[y]), "label": brief(y, row[y])} for row in rows
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "x:O",
            sort=None,
            axis=alt.Axis(labelAngle=0, labelOverlap=len(values) > 8, labelColor=_TEXT),
            scale=alt.Scale(paddingInner=0.25),
        ),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(domainMin=0)),
    )
    bars = base.mark_bar(fill=_ACCENT, cornerRadiusEnd=3)
    ends = base.mark_text(baseline="bottom", dy=-5, fill=_TEXT, fontSize=12).encode(text="label:N")
    return (bars + ends).properties(width=WIDTH, height=190)


def _label(column: str) -> Any:
    import altair as alt

    return _AXIS_LABELS.get(unit_of(column) or "", alt.Undefined)


def _js(names: Mapping[int, str]) -> str:
    """Return names as a list that a Vega expression can index; it has JavaScript's strings."""
    return json.dumps([names[place] for place in sorted(names)])


def _as_svg(panels: Sequence[Any]) -> str:
    import altair as alt
    import vl_convert

    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels)
    spec = chart.properties(padding={"left": 4, "right": 14, "top": 6, "bottom": 4}).to_dict()
    spec["config"] = _CONFIG
    drawn: str = vl_convert.vegalite_to_svg(spec)
    # it is one picture with a name, and the figure around it has that
    return _HEAD.sub(_head, drawn, count=1)


_HEAD = re.compile(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>')


def _head(found: re.Match[str]) -> str:
    width, height = found.groups()
    least, most = _LEAST * float(width), _MOST * float(width)
    return (
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true"'
        f' style="min-width: {least:.0f}px; max-width: {most:.0f}px">'
    )
