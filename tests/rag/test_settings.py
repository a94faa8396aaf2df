"""What can be set: how the text of each setting is read, and what of it a page may save."""

from __future__ import annotations

import re

import pytest

from rag.config import load_config
from rag.errors import ConfigError
from rag.settings import NAMES, OWNER, RETIRED, SAVABLE, SETTINGS, Setting, check_slug

BY_NAME = {setting.name: setting for setting in SETTINGS}


def test_names_are_one_each_and_each_says_what_it_means() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(SETTINGS)
    assert all(re.fullmatch(r"[A-Z][A-Z_]+", name) for name in NAMES)
    assert not [setting.name for setting in SETTINGS if len(setting.meaning) < 10 or setting.meaning.endswith(".")]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_and_every_value_can_be_read(setting: Setting) -> None:
    for value in (setting.default, *setting.values):
        found = setting.read(value)
        assert found is None or str(found) == value or found == ()


def test_no_page_saves_a_key_a_path_or_what_runs_code() -> None:
    assert not [name for name in SAVABLE if "KEY" in name and "KEEP" not in name]
    for name in ("RAGBOOK_HOME", "RAGBOOK_WORKSPACE", "RAGBOOK_PRICES", "RAGBOOK_ALLOW_ADDRESSES", *RETIRED):
        assert name not in SAVABLE
    assert "saved" not in OWNER


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("RAGBOOK_CHUNK_SIZE", ["32", "8192", "0220"], ["31", "8193", "-1", "1.5", "²", "1_000", "9" * 5000, "2 2"]),
        ("RAGBOOK_KEEP_DAYS", ["0", "36500"], ["36501", "x"]),
        ("RAGBOOK_LLM", ["none", "openai"], ["None", "llama", " none"]),
    ],
)
def test_numbers_and_choices(name: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert str(BY_NAME[name].read(value)) == value.lstrip("0") or value == "0"
    for value in bad:
        with pytest.raises(ConfigError, match=rf"^{name} is .*\.$"):
            BY_NAME[name].read(value)


def test_a_sentence_about_a_long_value_is_short() -> None:
    with pytest.raises(ConfigError) as told:
        BY_NAME["RAGBOOK_CHUNK_SIZE"].read("7" * 5000)
    assert len(str(told.value)) < 250


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("https://a.example/v1///", "https://a.example/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("", None),
    ],
)
def test_addresses(given: str, kept: str | None) -> None:
    assert BY_NAME["RAGBOOK_EMBED_BASE_URL"].read(given) == kept


@pytest.mark.parametrize(
    "given", ["ftp://a.example", "localhost:1", "http://", "file:///etc/passwd", "http://[::1", "http://a:0/", "x"]
)
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(ConfigError, match="It takes an address such as"):
        BY_NAME["RAGBOOK_LLM_BASE_URL"].read(given)


@pytest.mark.parametrize("given", ["http://me:hunter2@a.example", "nonsense hunter2@x", "http://hunter2@[::1"])
def test_a_password_in_an_address_is_not_repeated(given: str) -> None:
    with pytest.raises(ConfigError) as told:
        BY_NAME["RAGBOOK_LLM_BASE_URL"].read(given)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "found"),
    [("", ()), ("none", ("none",)), (" Loopback , private ", ("loopback", "private")), ("private,", ("private",))],
)
def test_which_addresses_a_page_may_save(given: str, found: tuple[str, ...]) -> None:
    assert BY_NAME["RAGBOOK_ALLOW_ADDRESSES"].read(given) == found


@pytest.mark.parametrize("given", ["all", "none,loopback", "127.0.0.1", "loopback private"])
def test_which_it_may_not(given: str) -> None:
    with pytest.raises(ConfigError, match="It takes loopback, private"):
        BY_NAME["RAGBOOK_ALLOW_ADDRESSES"].read(given)


@pytest.mark.parametrize("slug", ["a", "0", "a-b_c", "x" * 64])
def test_names_that_can_be_folders_everywhere(slug: str) -> None:
    assert check_slug("The name", slug) == slug


@pytest.mark.parametrize("slug", ["", "x" * 65, "A", "-a", "_a", ".", "..", "a/b", "a b", "ä", "a\n", "con."])
def test_names_that_cannot(slug: str) -> None:
    with pytest.raises(ConfigError, match=r"^The name is"):
        check_slug("The name", slug)


def test_a_config_reads_every_one_of_them(tmp_path) -> None:
    config = load_config({name: BY_NAME[name].default for name in NAMES if BY_NAME[name].default}, folder=tmp_path)
    assert (config.chunk_size, config.keep_days, config.llm) == (220, 30, "none")
