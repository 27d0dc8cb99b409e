"""A real Chromium for the tests, the system's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

HOW_TO_GET_ONE = (
    "the tests of the page need Chromium: `apt-get install chromium`, or set "
    "MICROGRADIENT_CHROMIUM to the path of a Chromium or Chrome"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a running headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("MICROGRADIENT_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )
    assert path, HOW_TO_GET_ONE
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], timeout=180_000
        )
        try:
            yield browser
        finally:
            browser.close()
