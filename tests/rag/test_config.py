from __future__ import annotations

import copy
import json
from dataclasses import asdict
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest

from rag.config import CROSS_ENCODER, Config, Secret, load_config
from rag.errors import ConfigError
from rag.settings import LOCAL_MODELS, MULTILINGUAL_MODEL, NAMES, RETIRED, SAVABLE, SETTINGS, check_slug

KEY = "sk-very-secret-0123456789"


def write(folder: Path, *, env: str = "", toml: str = "") -> Path:
    (folder / ".env").write_text(env, "utf-8")
    (folder / ".streamlit").mkdir(exist_ok=True)
    (folder / ".streamlit" / "secrets.toml").write_text(toml, "utf-8")
    return folder


def refusal(environ: dict[str, str], folder: Path, saved: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(environ, folder=folder, saved=saved)
    return str(error.value)


def test_without_any_setting_the_defaults_hold(tmp_path: Path) -> None:
    config = load_config({}, folder=tmp_path)
    assert config == Config()
    assert set(config.origins) == set(NAMES)
    assert set(config.origins.values()) == {"default"}


def test_the_stronger_source_wins_and_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, env="RAGBOOK_CHUNK_SIZE=200\n", toml="RAGBOOK_CHUNK_SIZE = 300\n")
    saved = {"RAGBOOK_CHUNK_SIZE": "400"}
    name = "RAGBOOK_CHUNK_SIZE"

    config = load_config({name: "100"}, folder=folder, saved=saved)
    assert (config.chunk_size, config.origins[name]) == (100, "environment")
    config = load_config({}, folder=folder, saved=saved)
    assert (config.chunk_size, config.origins[name]) == (200, ".env")
    (folder / ".env").unlink()
    config = load_config({}, folder=folder, saved=saved)
    assert (config.chunk_size, config.origins[name]) == (300, "secrets.toml")
    (folder / ".streamlit" / "secrets.toml").unlink()
    config = load_config({}, folder=folder, saved=saved)
    assert (config.chunk_size, config.origins[name]) == (400, "saved")


def test_blank_is_not_set_and_white_space_is_trimmed(tmp_path: Path) -> None:
    folder = write(tmp_path, env="RAGBOOK_CHUNK_SIZE=\nRAGBOOK_CHUNK_OVERLAP\n", toml='RAGBOOK_CHUNK_SIZE = " 64 "')
    config = load_config({"RAGBOOK_CHUNK_SIZE": "  "}, folder=folder)
    assert (config.chunk_size, config.origins["RAGBOOK_CHUNK_SIZE"]) == (64, "secrets.toml")
    assert config.origins["RAGBOOK_CHUNK_OVERLAP"] == "default"


def test_foreign_names_and_tables_are_none_of_our_business(tmp_path: Path) -> None:
    folder = write(tmp_path, env="HOME_X=1\n", toml='database = "x"\n[connections]\nRAGBOOK_X = 1\n')
    assert load_config({"PATH": "/bin", "OPENAI_ORG": "x"}, folder=folder) == Config()


@pytest.mark.parametrize("where", ["environment", ".env", "secrets.toml"])
def test_a_switch_is_no_setting_and_no_unknown_one(where: str, tmp_path: Path) -> None:
    """`RAGBOOK_READER_STDERR` made every command fail: the reading child looks at it, the settings do not know it."""
    switch = "RAGBOOK_READER_STDERR"
    folder = write(
        tmp_path,
        env=f"{switch}=1\n" if where == ".env" else "",
        toml=f'{switch} = "1"\n' if where == "secrets.toml" else "",
    )
    config = load_config({switch: "1"} if where == "environment" else {}, folder=folder)
    assert config == Config()
    assert switch not in config.origins


@pytest.mark.parametrize("where", ["environment", ".env", "secrets.toml", "saved"])
def test_an_unknown_name_is_refused_with_the_known_ones(where: str, tmp_path: Path) -> None:
    wrong = "RAGBOOK_EMBEDER"
    folder = write(
        tmp_path,
        env=f"{wrong}=local\n" if where == ".env" else "",
        toml=f'{wrong} = "local"\n' if where == "secrets.toml" else "",
    )
    sentence = refusal(
        {wrong: "local"} if where == "environment" else {}, folder, {wrong: "local"} if where == "saved" else None
    )
    assert wrong in sentence
    assert where in sentence
    assert "Did you mean RAGBOOK_EMBEDDER?" in sentence
    for name in SAVABLE if where == "saved" else NAMES:
        assert name in sentence


def test_only_savable_settings_can_be_saved(tmp_path: Path) -> None:
    for name in set(NAMES) - set(SAVABLE) - set(RETIRED):
        sentence = refusal({}, tmp_path, {name: "x"})
        assert name in sentence
        assert all(savable in sentence for savable in SAVABLE)
    assert {"OPENAI_API_KEY", "RAGBOOK_HOME", "RAGBOOK_WORKSPACE"}.isdisjoint(SAVABLE)


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.values], ids=lambda s: s.name)
def test_a_wrong_value_is_refused_with_the_right_ones(setting: object, tmp_path: Path) -> None:
    name, values = setting.name, setting.values  # type: ignore[attr-defined]
    sentence = refusal({name: "sometimes"}, tmp_path)
    assert name in sentence
    assert "'sometimes'" in sentence
    for value in values:
        assert value in sentence


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("RAGBOOK_CHUNK_SIZE", 32, 8192), ("RAGBOOK_CHUNK_OVERLAP", 0, 4096), ("RAGBOOK_EMBED_DIMENSIONS", 8, 65536)],
)
def test_numbers_outside_their_range_are_refused(name: str, low: int, high: int, tmp_path: Path) -> None:
    for wrong in (str(low - 1), str(high + 1), "1.5", "1e2", "0x20", "²", "٣٣", "many", "9" * 5000, "--5", "5 5"):
        sentence = refusal({name: wrong}, tmp_path)
        assert f"{low} to {high}" in sentence
        assert len(sentence) < 300


def test_the_overlap_is_less_than_half_of_the_size(tmp_path: Path) -> None:
    sentence = refusal({"RAGBOOK_CHUNK_SIZE": "100", "RAGBOOK_CHUNK_OVERLAP": "50"}, tmp_path)
    assert "49 or less" in sentence
    config = load_config({"RAGBOOK_CHUNK_SIZE": "100", "RAGBOOK_CHUNK_OVERLAP": "49"}, folder=tmp_path)
    assert config.chunk_overlap == 49
    # A small size alone is no contradiction: the default overlap follows it.
    for size in range(32, 200):
        config = load_config({"RAGBOOK_CHUNK_SIZE": str(size)}, folder=tmp_path)
        assert 0 < config.chunk_overlap * 2 < size
    assert load_config({"RAGBOOK_CHUNK_OVERLAP": "0"}, folder=tmp_path).chunk_overlap == 0


@pytest.mark.parametrize("kind", ["EMBED", "LLM"])
def test_a_server_needs_a_model_and_an_address(kind: str, tmp_path: Path) -> None:
    who = "RAGBOOK_EMBEDDER" if kind == "EMBED" else "RAGBOOK_LLM"
    environ = {who: "openai-compatible"}
    assert f"RAGBOOK_{kind}_MODEL is not set" in refusal(environ, tmp_path)
    environ[f"RAGBOOK_{kind}_MODEL"] = "m"
    assert f"RAGBOOK_{kind}_BASE_URL is not set" in refusal(environ, tmp_path)
    environ[f"RAGBOOK_{kind}_BASE_URL"] = "http://localhost:1234/v1/"
    config = load_config(environ, folder=tmp_path)
    assert "http://localhost:1234/v1" in (config.embed_base_url, config.llm_base_url)


def test_the_local_models_are_chosen_by_name(tmp_path: Path) -> None:
    several = {"RAGBOOK_EMBED_MODEL": MULTILINGUAL_MODEL}
    config = load_config(several, folder=tmp_path)
    assert (config.embedder, config.embed_model, config.embed_dimensions) == ("local", MULTILINGUAL_MODEL, None)
    assert load_config({**several, "RAGBOOK_EMBED_DIMENSIONS": "512"}, folder=tmp_path).embed_dimensions is None
    assert "has 512" in refusal({**several, "RAGBOOK_EMBED_DIMENSIONS": "384"}, tmp_path)
    unknown = refusal({"RAGBOOK_EMBED_MODEL": "bge-m3"}, tmp_path)
    assert all(name in unknown for name in ("bge-m3", *LOCAL_MODELS))


def test_openai_and_local_have_default_models(tmp_path: Path) -> None:
    config = load_config({"RAGBOOK_EMBEDDER": "openai", "RAGBOOK_LLM": "openai"}, folder=tmp_path)
    assert (config.embed_model, config.llm_model) == ("text-embedding-3-small", "gpt-4.1-mini")
    assert load_config({}, folder=tmp_path).embed_model == "all-MiniLM-L6-v2"
    assert "has 384" in refusal({"RAGBOOK_EMBED_DIMENSIONS": "256"}, tmp_path)
    assert load_config({"RAGBOOK_EMBED_DIMENSIONS": "384"}, folder=tmp_path).embed_dimensions is None


def test_a_re_ranker_is_off_and_needs_what_it_asks(tmp_path: Path) -> None:
    config = load_config({"RAGBOOK_RERANKER_MODEL": "m"}, folder=tmp_path)
    assert (config.reranker, config.reranker_model) == ("none", None)
    assert "It can be none, llm, cross-encoder" in refusal({"RAGBOOK_RERANKER": "yes"}, tmp_path)
    assert "RAGBOOK_LLM is none" in refusal({"RAGBOOK_RERANKER": "llm"}, tmp_path)
    config = load_config({"RAGBOOK_RERANKER": "llm", "RAGBOOK_LLM": "openai"}, folder=tmp_path)
    assert (config.reranker, config.reranker_model) == ("llm", None)
    environ = {"RAGBOOK_RERANKER": "cross-encoder"}
    assert load_config(environ, folder=tmp_path).reranker_model == "cross-encoder/ms-marco-MiniLM-L6-v2"
    assert load_config({**environ, "RAGBOOK_RERANKER_MODEL": "m"}, folder=tmp_path).reranker_model == "m"


def test_a_model_that_a_page_saved_once_is_not_loaded(tmp_path: Path) -> None:
    """Weights of a visitor's choice: pages of older releases could save them."""
    saved = {"RAGBOOK_RERANKER_MODEL": "evil/model", "RAGBOOK_RERANKER": "cross-encoder"}
    assert load_config({}, folder=tmp_path, saved=saved).reranker_model == CROSS_ENCODER
    assert "RAGBOOK_RERANKER_MODEL" not in SAVABLE


@pytest.mark.parametrize(
    "address", ["localhost:11434", "ftp://x/v1", "http://", "http://x:0/v1", "http://x:99999", "http://[::1", "/v1"]
)
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    assert address in refusal({"RAGBOOK_EMBED_BASE_URL": address}, tmp_path)


@pytest.mark.parametrize("address", ["http://me:hunter2@x/v1", "ftp://me:hunter2@x", "https://me:hunter2#@x/v1"])
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str, tmp_path: Path) -> None:
    assert "hunter2" not in refusal({"RAGBOOK_LLM_BASE_URL": address}, tmp_path)


@pytest.mark.parametrize("workspace", ["A", "a b", "..", "a/b", "-a", "_a", "ü", "a" * 65, "a\n"])
def test_a_workspace_is_a_plain_folder_name(workspace: str, tmp_path: Path) -> None:
    if workspace.strip() == "a":
        assert load_config({"RAGBOOK_WORKSPACE": workspace}, folder=tmp_path).workspace == "a"
        with pytest.raises(ConfigError):
            check_slug("The name", workspace)
        return
    assert "RAGBOOK_WORKSPACE" in refusal({"RAGBOOK_WORKSPACE": workspace}, tmp_path)


@pytest.mark.parametrize("broken", [b"RAGBOOK_LLM = ", b"\xff\xfe", b"[a\n"])
def test_files_that_cannot_be_read_are_named(broken: bytes, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / ".streamlit" / "secrets.toml").write_bytes(broken)
    assert "secrets.toml" in refusal({}, tmp_path)


def test_an_env_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"RAGBOOK_LLM=n\xffne\n")
    assert ".env" in refusal({}, tmp_path)


@pytest.mark.parametrize("source", ["environment", ".env", "secrets.toml"])
def test_the_key_is_never_shown(source: str, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        env=f"OPENAI_API_KEY={KEY}\n" if source == ".env" else "",
        toml=f'OPENAI_API_KEY = "{KEY}"\n' if source == "secrets.toml" else "",
    )
    config = load_config({"OPENAI_API_KEY": KEY} if source == "environment" else {}, folder=folder)
    secret = config.api_key
    assert secret is not None
    assert secret.reveal() == KEY
    assert config.origins["OPENAI_API_KEY"] == source
    shown = [repr(config), str(config), f"{config}", repr(secret), str(secret), f"{secret!s:>40}", f"{[secret]}"]
    shown += [repr(vars(config)), json.dumps(vars(config), default=str), repr(config.origins)]
    assert not [text for text in shown if KEY in text]
    with pytest.raises(TypeError):
        json.dumps(secret)
    for attempt in (
        lambda: ForkingPickler.dumps(secret),
        lambda: ForkingPickler.dumps(config),
        lambda: copy.deepcopy(secret),
        lambda: asdict(config),
    ):
        with pytest.raises(TypeError, match="not written to disk") as error:
            attempt()  # type: ignore[no-untyped-call]
        assert KEY not in str(error.value)


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert not hasattr(Secret("a"), "__dict__")
