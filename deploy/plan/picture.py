"""A plan as a picture: when how many are there, and how long people wait, before and after. SVG, drawn from numbers.

Read without colour as well: every cell and every bar has its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from deploy.plan.measure import Outcome
from shared.types import Urgency

CELL_W, CELL_H, LEFT, TOP = 30, 22, 84, 70
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BAR, GAP = 18, 10
WIDTH = LEFT + 24 * CELL_W + 20
FOR_EVER = WIDTH - LEFT - 300


def drawn(plans: Mapping[str, Outcome], title: str) -> str:
    """The picture of one or two plans by their names, as the text of an SVG file."""
    parts, height = [_text(LEFT, 26, title, size=17)], TOP
    most = max((there for plan in plans.values() for there in plan.hours.values()), default=1) or 1
    for name, plan in plans.items():
        parts += [_text(LEFT, height - 14, f"{name}: peers there, by day and hour", size=13)]
        parts += _heat(plan, height, most)
        height += 7 * CELL_H + 60
    parts += _bars(plans, height)
    height += len(_asked(plans)) * (len(plans) * BAR + GAP) + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


INK = "#1b1f24"


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "start", fill: str = INK) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"'
    return f"<text {where}>{escape(text)}</text>"


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _heat(plan: Outcome, top: int, most: float) -> Iterator[str]:
    for hour in range(24):
        yield _text(LEFT + hour * CELL_W + CELL_W / 2, top + 7 * CELL_H + 14, f"{hour:02d}", anchor="middle")
    for day, name in enumerate(DAYS):
        y = top + day * CELL_H
        yield _text(LEFT - 8, y + CELL_H - 7, name, anchor="end")
        for hour in range(24):
            there = plan.hours.get((day, hour), 0.0)
            # From pale to dark; nobody stands out by a colour of its own.
            shade = "#f5c6c0" if there < 1 else f"hsl(205, 55%, {92 - 52 * there / most:.0f}%)"
            dark = there >= 1 and there / most > 0.6  # noqa: PLR2004 - from here on white is read better
            x = LEFT + hour * CELL_W
            yield _rect(x, y, CELL_W - 2, CELL_H - 2, shade)
            fill = "#ffffff" if dark else INK
            yield _text(x + CELL_W / 2 - 1, y + CELL_H - 7, f"{there:.0f}", anchor="middle", fill=fill)


def _asked(plans: Mapping[str, Outcome]) -> list[Urgency]:
    """The urgencies in which anybody has asked."""
    return [urgency for urgency in Urgency if any(urgency in plan.waited for plan in plans.values())]


def _bars(plans: Mapping[str, Outcome], top: int) -> Iterator[str]:
    caption = "Until a peer has accepted: half of all requests, and nine of ten; never, where so many found nobody"
    yield _text(LEFT, top - 14, caption, size=13)
    found = [one for plan in plans.values() for each in plan.waited.values() for one in each.minutes.values() if one]
    longest = max(found, default=1.0)
    y = top
    for urgency in _asked(plans):
        yield _text(LEFT - 8, y + BAR - 4, urgency.value, anchor="end")
        for number, (name, plan) in enumerate(plans.items()):
            waited = plan.waited.get(urgency)
            p50, p90 = (waited.minutes.get(q) if waited else None for q in (50, 90))
            wide, half = (_long(minutes, longest) if waited else 0.0 for minutes in (p90, p50))
            told = f"{name}: {_minutes(p50)} / {_minutes(p90)}" if waited else f"{name}: -"
            if waited and waited.unserved:
                told += f", {waited.unserved} of {waited.requests} served by nobody"
            pale, strong = (("#b9c6d3", "#4a6785"), ("#9fd3c0", "#2c7f66"))[number % 2]
            yield _rect(LEFT, y, wide, BAR - 3, pale)
            yield _rect(LEFT, y, half, BAR - 3, strong)
            yield _text(LEFT + wide + 8, y + BAR - 6, told)
            y += BAR
        y += GAP


def _long(minutes: float | None, longest: float) -> float:
    """How long the bar of a wait is; that of one without an end is longer than any other."""
    return FOR_EVER if minutes is None else minutes / longest * FOR_EVER * 0.9


def _minutes(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"  # noqa: PLR2004 - two hours
