"""Pictures of pages in build/screens, for people to look at: taken by `make pictures`, which sets EXAMROOM_PICTURES.

What a page must be is asserted by the tests that open it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

WANTED = bool(os.environ.get("EXAMROOM_PICTURES"))
_SWITCH = "() => document.querySelector('.button.corner, .tools .button[lang]').click()"
"""A tablet's page into its other language."""
_SCREENS = Path(__file__).parents[2] / "build" / "screens"


def shot(page: Page, name: str, lang: str = "") -> None:
    if WANTED:
        _SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=_SCREENS / f"{f'{name}-{lang}' if lang else name}.png")


def shot_both(page: Page, name: str, again: Callable[[], object] = lambda: None) -> None:
    """As it stands and in the other language, by the page's own switch; it ends as it began.

    `again`: what leads to this screen once more, where the switch draws it afresh.
    """
    for _ in range(2 if WANTED else 0):
        shot(page, name, _language(page))
        page.evaluate(_SWITCH)
        again()


def shot_redrawn(
    page: Page, name: str, ready: Callable[[], object], drawn: Callable[[str], object] | None = None
) -> None:
    """The same of a page that is loaded in a language: `ready` waits for what the picture is of, `drawn` loads it where
    the room cannot be asked for it.
    """
    here = _language(page)
    for lang in ("en" if here == "zh" else "zh", here) if WANTED else ():
        drawn(lang) if drawn else _redraw(page, lang)
        ready()
        shot(page, name, lang)


def _language(page: Page) -> str:
    return "en" if page.evaluate("() => document.documentElement.lang") == "en" else "zh"


def _redraw(page: Page, lang: str) -> None:
    page.context.add_cookies([{"name": "lang", "value": lang, "url": page.url}])
    page.reload()
