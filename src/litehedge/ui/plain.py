"""Pages without script: large, dark, one column; they work on a slow line and on any phone.

One style sheet for all of them stands in the page, and the policy of the page names its hash:
nothing else is loaded, run, or sent elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from litehedge.errors import UsageError
from litehedge.report.style import AMBER, CARD, DIM, FONT, GREEN, GROUND, INK, LINE, RED

STYLE: Final = f"""
:root{{color-scheme:dark}}
*{{box-sizing:border-box}}
body{{margin:0;background:{GROUND};color:{INK};font:18px/1.5 {FONT};
font-variant-numeric:tabular-nums}}
main{{max-width:620px;margin:0 auto;padding:28px 20px 60px}}
h1{{font-size:34px;line-height:1.2;margin:8px 0 16px}}
h2{{font-size:22px;margin:36px 0 8px}}
p{{margin:0 0 14px}}
.hg-dim{{color:{DIM}}}
.hg-hero{{font-size:34px;line-height:1.2;font-weight:700;margin:0}}
.hg-card{{background:{CARD};border:1px solid {LINE};border-radius:12px;padding:18px;
margin:0 0 16px}}
.hg-live{{color:{RED};font-weight:700}}
.hg-warn{{color:{AMBER}}}
.hg-done{{color:{GREEN}}}
.hg-error{{color:{INK};border-left:4px solid {RED};padding:4px 0 4px 12px;margin:6px 0 14px}}
label{{display:block;margin:14px 0 6px}}
input[type=text],input[type=password]{{width:100%;min-height:52px;padding:10px 14px;font:inherit;
color:{INK};background:{CARD};border:1px solid {DIM};border-radius:12px}}
button,.hg-button{{display:block;width:100%;min-height:60px;padding:14px;margin:14px 0;font:inherit;
font-size:20px;font-weight:700;text-align:center;text-decoration:none;color:{INK};
background:{CARD};border:1px solid {DIM};border-radius:14px;cursor:pointer}}
.hg-red{{background:#b4232a;border-color:#b4232a;color:#fff}}
a{{color:{INK}}}
:focus-visible{{outline:3px solid {AMBER};outline-offset:2px}}
ol,ul{{padding-left:22px;margin:0 0 14px}}
dl{{display:grid;grid-template-columns:1fr auto;gap:6px 16px;margin:0}}
dt{{color:{DIM}}}
dd{{margin:0;text-align:right}}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of these pages."""

FORM_BYTES: Final = 8192
FIELDS: Final = 12


def page(
    title: str, body: str, *, status: int = 200, refresh_s: int | None = None, to: str = ""
) -> HTMLResponse:
    """Return a page; `body` is HTML. With `refresh_s` it loads again, or goes `to`."""
    again = ""
    if refresh_s is not None:
        where = f"; url={escape(to)}" if to else ""
        again = f'<meta http-equiv="refresh" content="{refresh_s}{where}">'
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{again}<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, {"Content-Security-Policy": POLICY})


def heading(text: str) -> str:
    """Write the page's heading."""
    return f"<h1>{escape(text)}</h1>"


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph; `kind` is one of the style sheet's classes, without its prefix."""
    return f'<p class="hg-{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def error_at(field: str, error: str) -> str:
    """Write what is wrong with a field; nothing where nothing is."""
    if not error:
        return ""
    return f'<p class="hg-error" id="{field}-error" role="alert">Error: {escape(error)}</p>'


def text_field(
    name: str,
    label: str,
    *,
    value: str = "",
    error: str = "",
    secret: str = "",
    focus: bool = False,
) -> str:
    """Write a field with its label, and what is wrong with it beside it.

    `secret` is the autocomplete word of a passphrase: such a field never shows a value.
    """
    more = f' aria-describedby="{name}-error" aria-invalid="true"' if error else ""
    more += " autofocus" if focus else ""
    if secret:
        more += f' type="password" autocomplete="{secret}"'
    else:
        more += f' type="text" autocomplete="off" value="{escape(value)}"'
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" maxlength="300" autocapitalize="off" '
        f'spellcheck="false"{more}>{error_at(name, error)}'
    )


def hidden(**values: str) -> str:
    """Write hidden fields."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in values.items()
    )


def form(action: str, inside: str, *, method: str = "post") -> str:
    """Write a form; `inside` is HTML."""
    return f'<form method="{method}" action="{escape(action)}">{inside}</form>'


def button(text: str, kind: str = "", *, name: str = "", value: str = "") -> str:
    """Write a form's button; `kind` as for `paragraph`, `name` and `value` where there are more."""
    more = f' class="hg-{kind}"' if kind else ""
    more += f' name="{name}" value="{escape(value)}"' if name else ""
    return f'<button type="submit"{more}>{escape(text)}</button>'


def link(text: str, to: str, *, kind: str = "button") -> str:
    """Write a link, by default as large as a button."""
    return f'<a class="hg-{kind}" href="{escape(to)}">{escape(text)}</a>'


def see_other(to: str) -> Response:
    """Return the answer to a form that was done: the browser goes on, and a reload asks nothing."""
    return RedirectResponse(to, 303)


async def fields_of(request: Request) -> dict[str, str]:
    """Read a form of ours.

    Raises
    ------
    UsageError
        When it is none: another type, too large, not UTF-8, a field twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError("that is no form of this page", "open the page and send it again")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise UsageError("that form is too large", "open the page and send it again")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict", max_num_fields=FIELDS,
        )  # fmt: skip
    except ValueError:  # also what is not UTF-8
        raise UsageError("that form cannot be read", "open the page and send it again") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UsageError("that form has a field twice", "open the page and send it again")
    return fields


def is_ours(fields: dict[str, str], key: str) -> bool:
    """Return whether a form carries the key that its page was given."""
    return key != "" and hmac.compare_digest(fields.get("form_key", "").encode(), key.encode())


def inside(path: str) -> str:
    """Return a path of this screen to go on to; ``/`` where it leads elsewhere."""
    fine = path.startswith("/") and not path.startswith("//") and len(path) <= 500
    return path if fine and path.isascii() and path.isprintable() and "\\" not in path else "/"
