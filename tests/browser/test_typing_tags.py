"""Tags in a real browser: typed one after the other with the keyboard alone, shown and searched in, never run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from rag import Config, Incoming, Notebook, open_notebook
from tests.browser.conftest import becomes, serving, settled

HOSTILE = "<img src=x onerror=alert(1)> **b**"


def built(home: Path) -> Notebook:
    book = open_notebook(Config(home=str(home)))
    book.add([Incoming("pumps.md", content=b"# Pumps\n\nThe pump is cleaned each spring by the garden club.\n")])
    book.add([Incoming("fees.md", content=b"# Fees\n\nThe annual fee of the garden club is 42 euros.\n")])
    return book


def tags(book: Notebook) -> list[tuple[str, ...]]:
    return list(book.tags().values())


def test_tags_are_typed_one_after_the_other_and_searched_in(tmp_path: Path, open_browser: Callable[..., Page]) -> None:
    home = tmp_path / "home"
    book = built(home)
    with serving(home) as address:
        page = open_browser()
        page.goto(f"{address}/library")
        table = page.get_by_test_id("stDataFrame")
        expect(table).to_be_visible()
        settled(page)
        table.scroll_into_view_if_needed()
        table.click(position={"x": 16, "y": 55})  # the box of the first row: the table is a canvas
        field = page.locator(".st-key-tag_editor").get_by_role("combobox")
        # Not by role: an open list hides all else from that.
        chips = page.locator(".st-key-tag_editor .react-aria-ComboBox [data-tag]")
        field.click()
        for typed, tag in enumerate(("zoo", "garden", HOSTILE), 1):
            page.keyboard.type(tag, delay=30)  # as a person types: the list of what fits follows each letter
            page.keyboard.press("Enter")
            expect(chips.filter(has_text=tag)).to_be_attached()
            becomes(page, lambda: [len(one) for one in tags(book)] == [typed])  # noqa: B023 waited for here
            settled(page)
        expect(field).to_be_focused()
        page.keyboard.press("Escape")
        page.keyboard.press("Backspace")
        expect(chips.filter(has_text=HOSTILE)).to_have_count(0)
        # The chip goes before the page has told the server.
        becomes(page, lambda: tags(book) == [("garden", "zoo")])
        book.tag(["pumps.md"], add=[HOSTILE])
        page.goto(address)
        page.get_by_role("button", name="Search in").click()
        chooser = page.get_by_role("combobox", name="Tags")
        chooser.click()
        page.keyboard.type("img", delay=30)
        page.keyboard.press("Enter")
        expect(page.locator('[data-hook="search-in-chosen"]')).to_have_text(f"Only tagged {HOSTILE} is searched.")
        settled(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_have_count(0)
        page.get_by_role("button", name="Done").click()
        expect(page.locator('[data-hook="search-in"]')).to_have_text(f"Only tagged {HOSTILE}")
        settled(page)
        box = page.get_by_test_id("stChatInputTextArea")
        box.fill("What does the garden club do each spring?")
        box.press("Enter")
        expect(page.locator('[data-hook="receipt"]')).to_be_visible()
        expect(page.locator("body")).to_contain_text(f"Searched only tagged {HOSTILE}.")
        settled(page)
        assert page.locator("[onerror]").count() == 0
        (cell,) = book.cells()
        assert cell.answer.only is not None
        assert {one.source for one in cell.answer.passages} == {"pumps.md"}
