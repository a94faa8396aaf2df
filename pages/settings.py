"""Settings: every value with where it comes from, and what a change would do before it is applied."""

from __future__ import annotations

import streamlit as st

import rag
from rag.errors import AddressRefused, ConfigError
from rag.manifest import VerdictName
from rag.models.endpoint import check_addresses
from rag.settings import LOCAL_MODELS
from rag.wording import changes
from ui import wording
from ui.banner import verdict_banner
from ui.frame import Page, frame
from ui.settings.fields import effective, field, is_fixed, origin
from ui.settings.impact import Impact, candidate, impact_of
from ui.untrusted import escaped
from ui.widgets import badge_html, card, header, kv

EMBEDDING = ("RAGBOOK_EMBED_MODEL", "RAGBOOK_EMBED_BASE_URL", "RAGBOOK_EMBED_DIMENSIONS")
ANSWERS = ("RAGBOOK_LLM_MODEL", "RAGBOOK_LLM_BASE_URL", "RAGBOOK_LLM_CONTEXT")


def main() -> None:
    """Draw the Settings page."""
    with frame("Settings") as page:
        facts = f"Of the notebook “{page.notebook.title}”. Keys come from the environment and are never saved."
        actions = header("Settings", facts)
        verdict_banner(page, links=False)
        saved = page.notebook.saved_settings()
        left, right = st.columns([1.6, 1], gap="medium")
        with left:
            entered = _fields(page, saved)
        in_force = {name: effective(page.notebook, name) for name in entered}
        wanted = candidate(saved, entered, in_force)
        with right, card("impact"):
            st.html('<h2 class="question">What applying this would do</h2>')
            allowed = _impact(page, wanted, changed=wanted != saved)
        with actions:
            if st.button("Apply", type="primary", icon=":material/check:", key="apply", disabled=not allowed):
                page.notebook.save_settings(wanted)
                st.toast("Settings saved.", icon=":material/check:")
                st.rerun()


def _fields(page: Page, saved: dict[str, str]) -> dict[str, str]:
    entered: dict[str, str | None] = {}
    with card("embedding"):
        st.html('<h2 class="question">Embedding</h2>')
        entered.update(_group(page, saved, "RAGBOOK_EMBEDDER", EMBEDDING, without=("local",)))
    with card("answers"):
        st.html('<h2 class="question">Answers</h2>')
        entered.update(_group(page, saved, "RAGBOOK_LLM", ANSWERS, without=("none",)))
        entered["RAGBOOK_RERANKER"] = field(page.notebook, "RAGBOOK_RERANKER", saved)
    with card("chunking"):
        st.html('<h2 class="question">Chunking</h2>')
        for column, name in zip(st.columns(2), ("RAGBOOK_CHUNK_SIZE", "RAGBOOK_CHUNK_OVERLAP"), strict=True):
            with column:
                entered[name] = field(page.notebook, name, saved)
    with card("history"):
        st.html('<h2 class="question">History</h2>')
        for column, name in zip(st.columns(2), ("RAGBOOK_KEEP_SNAPSHOTS", "RAGBOOK_KEEP_DAYS"), strict=True):
            with column:
                entered[name] = field(page.notebook, name, saved)
    with card("place"):
        st.html('<h2 class="question">Place and key</h2>')
        config = page.notebook.config
        keys = {
            "OPENAI_API_KEY": config.api_key,
            "RAGBOOK_EMBED_API_KEY": config.embed_api_key,
            "RAGBOOK_LLM_API_KEY": config.llm_api_key,
        }
        rows = [
            (name, escaped(f"{effective(page.notebook, name)} · {origin(page.notebook, name)}"))
            for name in ("RAGBOOK_HOME", "RAGBOOK_WORKSPACE")
        ]
        told = [(name, f"{'set' if key else 'not set'} · never shown, never saved") for name, key in keys.items()]
        kv([*rows, *told])
    return {name: value for name, value in entered.items() if value is not None}


def _group(
    page: Page, saved: dict[str, str], kind: str, names: tuple[str, ...], *, without: tuple[str, ...]
) -> dict[str, str | None]:
    """A choice and the fields it needs; with one of `without` they are empty, and shown only if they are fixed."""
    entered = {kind: field(page.notebook, kind, saved)}
    chosen = entered[kind] or effective(page.notebook, kind)
    for name in names:
        if (name, chosen) == ("RAGBOOK_EMBED_MODEL", "local"):
            entered[name] = field(page.notebook, name, saved, among=list(LOCAL_MODELS))
        elif chosen not in without or is_fixed(page.notebook, name):
            entered[name] = field(page.notebook, name, saved)
        else:
            entered[name] = ""
    return entered


def _impact(page: Page, wanted: dict[str, str], *, changed: bool) -> bool:
    """Say what would happen; whether it may be applied."""
    try:
        config = rag.load_config(saved=wanted)
        check_addresses(config)
    except (ConfigError, AddressRefused) as error:
        st.html(f'<p class="small bad" role="alert">{escaped(str(error))}</p>')
        return False
    impact = impact_of(page.notebook, page.status, config)
    if impact.keeps_index:
        words = (
            "No change: the saved index stays valid."
            if impact.current
            else "Nothing is built yet: these settings make the first snapshot."
        )
        st.html(f'<p class="note" data-impact="none">{badge_html(VerdictName.UNCHANGED)} {escaped(words)}</p>')
        kv([("Embed again", "nothing"), ("Cost", "$0")])
    else:
        _consequences(page, impact)
    return changed


def _consequences(page: Page, impact: Impact) -> None:
    chunks = page.status.counts.chunks if page.status.counts else 0
    if impact.ready is not None:
        words = f"Snapshot {impact.ready.snapshot} was built with these settings: switching back costs nothing."
        need = "nothing, unless sources changed since"
    elif impact.new_space:
        words = "Another embedding model means a new space: no saved vector can be used in it."
        need = f"all of about {wording.count(chunks, 'chunk')}"
    else:
        words = "A new recipe: documents are cut anew, and only texts that were never embedded are embedded."
        need = f"at most about {wording.count(chunks, 'chunk')}, cut anew"
    st.html(f'<p class="note" data-impact="recipe">{badge_html(VerdictName.OTHER_RECIPE)} {escaped(words)}</p>')
    kept = (
        f"snapshot {impact.current.snapshot} is kept; switching back costs nothing"
        if impact.current
        else "there is none yet"
    )
    kv(
        [
            *(
                (changes.name(change), " → ".join(escaped(side or "none") for side in changes.sides(change)))
                for change in impact.changes
            ),
            ("Embed", escaped(need)),
            ("Saved index", escaped(kept)),
            ("When", "not now: the next build does it, and says so"),
        ]
    )


main()
