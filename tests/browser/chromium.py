"""Debian's chromium under Playwright: pages that note every error and every request to another machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOCAL = ("127.0.0.1", "localhost")


@dataclass
class Seen:
    """What a page complained about and whom it asked."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda channel: self._asked(channel.url))

    def _asked(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOCAL:
            self.outside.append(url)


def program() -> str:
    """Returns the path of chromium; skips the test where there is none."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium on this machine")
    return found


@contextmanager
def open_page(width: int = 1280, height: int = 1400) -> Iterator[tuple[Any, Seen]]:
    """Gives an empty page and what it has seen so far."""
    executable = program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS), timeout=120_000)
        try:
            page = browser.new_context(viewport={"width": width, "height": height}).new_page()
            page.set_default_timeout(120_000)
            seen = Seen()
            seen.watch(page)
            yield page, seen
        finally:
            browser.close()


def screenshot(target: Any, name: str) -> Path:
    """Keeps a picture of a page, or of a part of it, among the test artifacts."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    target.screenshot(path=path)
    return path
