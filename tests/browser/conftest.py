"""A real server and a real Chromium. Whatever a page asks of another host fails its test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.waiting import CEILING, until

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
expect.set_options(timeout=1000 * CEILING)  # milliseconds; five seconds by default


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[str]:
    """`streamlit run app.py` on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home.parent / f"server-{port}.log"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "RAGBOOK_HOME": str(home), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(CEILING)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    said = log.read_text(errors="replace")
    assert "Traceback" not in said, said


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    def healthy() -> bool:
        assert server.poll() is None, log.read_text(errors="replace")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=CEILING):
                return True
        except OSError:
            return False

    until(healthy)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless. Closed with its module: while Playwright runs, so does an event loop in this
    thread, and tests of other rooms that start one of their own would fail."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    assert path, "Chromium is not installed: see scripts/need-chromium"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def open_browser(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a window; at the end no request has gone to another host, and no dialog has opened."""
    foreign: list[str] = []
    dialogs: list[str] = []
    with ExitStack() as stack:

        def opened(*, dark: bool = False, phone: bool = False) -> Page:
            context = browser.new_context(
                color_scheme="dark" if dark else "light",
                viewport={"width": 390, "height": 844} if phone else {"width": 1440, "height": 900},
            )
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(1000 * CEILING)

            def requested(request: object) -> None:
                url = str(getattr(request, "url", ""))
                parts = urlsplit(url)
                if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
                    foreign.append(url)

            def asked(dialog: object) -> None:
                dialogs.append(str(getattr(dialog, "message", "")))

            page.on("request", requested)
            page.on("dialog", asked)
            return page

        yield opened
    assert not foreign, foreign
    assert not dialogs, dialogs


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def becomes(page: Page, state: Callable[[], bool]) -> None:
    """Wait until `state()` is true of something beside the page, which goes on meanwhile."""
    until(state, pause=lambda seconds: page.wait_for_timeout(1000 * seconds))


def shot(page: Page, name: str) -> None:
    """Keep a picture in the ignored folder `screenshots/`, once its letters are there."""
    page.evaluate("document.fonts.ready")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))
