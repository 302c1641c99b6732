"""The plain page at `/`: what runs, or how to sign in. HTML from values, everything escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Final

_LABELS: Final[Mapping[str, str]] = {
    "new": "new",
    "provisional": "in work",
    "returned": "returned",
    "approved": "approved",
}


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer on its topics."""

    name: str
    topic: str
    behind: int
    moved_at: datetime | None
    waiting_for: str


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows. `name` null: nobody is signed in; `groups` and `figures` only for who may see them."""

    version: str
    services: Sequence[str]
    problems: Sequence[str]
    name: str | None = None
    message: str = ""
    figures: Mapping[str, int] = field(default_factory=dict)
    groups: Sequence[Group] = ()
    dead_letters: int | None = None
    quarantine: int | None = None


def page(view: View) -> str:
    """The whole document."""
    signed_in = view.name is not None
    state = "Ready" if not view.problems else "Not ready"
    parts = [
        f'<p class="state {"good" if not view.problems else "bad"}">{state}</p>',
        "".join(f"<p>{escape(problem)}</p>" for problem in view.problems),
        f"<h2>Services</h2><ul class=services>{''.join(f'<li>{escape(name)}' for name in view.services)}</ul>",
    ]
    if view.dead_letters is not None:
        parts += [
            _figures(view.figures),
            _quarantine(view.quarantine),
            _groups(view.groups),
            _dead_letters(view.dead_letters),
        ]
    live = ' data-live="5"' if signed_in else ""
    script = '<script src="/pages/refresh.js" defer></script>' if signed_in else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>MITagger · {state}</title><link rel=stylesheet href=/pages/style.css>{script}</head><body>"
        f"<header><h1>MITagger</h1><p>{escape(view.version)}</p>{_who(view)}</header>"
        f"<main{live}>{''.join(parts)}</main>"
        "<footer><a href=/api/v1/openapi.json>API document</a> <code>mitagger status</code> shows the same on the "
        "command line.</footer></body></html>"
    )


def _who(view: View) -> str:
    if view.name is not None:
        return f"<form method=post action=/sign-out><span>{escape(view.name)}</span> <button>Sign out</button></form>"
    message = f"<p role=alert class=bad>{escape(view.message)}</p>" if view.message else ""
    return (
        f"{message}<form method=post action=/sign-in>"
        "<label>Name <input name=name autocomplete=username required maxlength=200></label> "
        "<label>Password <input name=password type=password autocomplete=current-password required maxlength=1000>"
        "</label> <button>Sign in</button>"
        "<small>The first start of the server printed the password of <code>administrator</code>.</small></form>"
    )


def _figures(figures: Mapping[str, int]) -> str:
    if not figures:
        return "<h2>Figures</h2><p>Their number is not known at the moment.</p>"
    cells = "".join(
        f"<li><strong>{count:,}</strong> {escape(_LABELS.get(status, status))}" for status, count in figures.items()
    )
    return f"<h2>Figures</h2><ul class=figures>{cells}</ul>"


def _quarantine(waiting: int | None) -> str:
    if not waiting:
        return ""
    return (
        f"<p><strong>{waiting:,}</strong> pictures wait in quarantine, unseen by annotators: "
        "<code>mitagger quarantine list</code></p>"
    )


def _groups(groups: Sequence[Group]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.name)}<td>{escape(one.topic)}<td class=number>{one.behind:,}"
        f"<td>{escape(f'waits for {one.waiting_for}' if one.waiting_for else _time(one.moved_at))}"
        for one in groups
    )
    return (
        "<h2>Consumers</h2><div class=scroll><table><thead><tr><th scope=col>Group<th scope=col>Topic"
        f"<th scope=col class=number>Left to do<th scope=col>Last moved</thead><tbody>{rows}</tbody></table></div>"
    )


def _dead_letters(count: int) -> str:
    if not count:
        return "<h2>Dead letters</h2><p>None.</p>"
    return (
        f"<h2>Dead letters</h2><p class=bad>{count} events could not be handled. "
        "<code>mitagger dead-letters list</code> shows them.</p>"
    )


def _time(moved_at: datetime | None) -> str:
    return f"{moved_at:%Y-%m-%d %H:%M:%S} UTC" if moved_at else "not since the start"
