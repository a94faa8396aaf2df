"""Own tags on the Library page: those of the selected documents are edited in one field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from rag.errors import Damaged, RagbookError, StoreError, TagInvalid
from rag.fingerprint import fingerprint
from rag.sources.tags import MOST, ById, alike, clean_tag, known_tags
from ui import wording
from ui.untrusted import escaped
from ui.widgets import error_card

if TYPE_CHECKING:
    from rag import Notebook, SourceRow

_EDITED, _REFUSED = "tags_edited", "tags_refused"


@dataclass(frozen=True)
class _Edited:
    """The field as it was drawn: of which documents (names and ids), under which key, with which tags."""

    slug: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    key: str
    shown: tuple[str, ...]


def current(notebook: Notebook) -> ById | None:
    """Ids of sources with their tags, after what was just typed into the field; None where they cannot be read, which
    is said, with a way out. Call it before the tags are drawn anywhere."""
    _take(notebook)
    try:
        return notebook.tags()
    except StoreError as error:
        with error_card(error, "tags"):
            damaged = isinstance(error, Damaged) and notebook.place.tags.damaged()
            if damaged and st.button("Repair", key="tags_repair", icon=":material/healing:"):
                notebook.place.tags.repair()
                st.rerun()
        return None


def editor(notebook: Notebook, rows: Sequence[SourceRow], of: ById, chosen: Sequence[str]) -> None:
    """Draw the field with the tags that all the `chosen` sources have, names of some of `rows`."""
    ids = {row.name: row.source_id for row in rows}
    names = tuple(name for name in chosen if name in ids)
    if not names:
        st.session_state.pop(_EDITED, None)
        st.session_state.pop(_REFUSED, None)
        return
    each = [of.get(ids[name], ()) for name in names]
    shown = tuple(tag for tag in each[0] if all(tag in tags for tags in each))
    others = [tag for tag in known_tags({str(at): tags for at, tags in enumerate(each)}) if tag not in shown]
    key = f"tags_{fingerprint([notebook.slug, *names])[:16]}"
    if sorted(st.session_state.get(key, ())) != sorted(shown):  # else as typed: chips do not jump while more are typed
        st.session_state[key] = list(shown)
    st.session_state[_EDITED] = _Edited(notebook.slug, names, tuple(ids[name] for name in names), key, shown)
    with st.container(gap="xsmall", key="tag_editor"):
        who = escaped(names[0]) if len(names) == 1 else wording.count(len(names), "document")
        st.html(f'<p class="small">Tags of <b>{who}</b></p>')
        st.multiselect(
            "Tags",
            known_tags(of),
            key=key,
            accept_new_options=True,
            max_selections=MOST,
            placeholder="Type a tag and press Enter",
            label_visibility="collapsed",
            select_all=False,
        )
        if others:
            st.html(f'<p class="small">Some of them also have: {escaped(", ".join(others))}</p>')
        refused = st.session_state.pop(_REFUSED, None)
        if refused:
            st.html(f'<p class="small bad" role="alert">{escaped(refused)}</p>')


def for_new(notebook: Notebook, turn: int) -> tuple[str, ...]:
    """Draw the field for the tags that documents get when they are added. What is in it; what cannot be a tag is said
    and left out, because the files are not given twice."""
    try:
        known = known_tags(notebook.tags())
    except StoreError:
        return ()  # said above the table
    typed = st.multiselect(
        "Tags for what you add",
        known,
        key=f"upload_tags_{turn}",
        accept_new_options=True,
        max_selections=MOST,
        placeholder="Tags for what you add, if you like",
        label_visibility="collapsed",
        select_all=False,
    )
    tags = []
    for tag in typed:
        try:
            tags.append(clean_tag(tag))
        except TagInvalid as error:
            st.html(f'<p class="small bad" role="alert">{escaped(str(error))}</p>')
    return tuple(tags)


def _take(notebook: Notebook) -> None:
    """Keep what was changed in the field since it was drawn: the difference, so that what others do meanwhile stays."""
    edited: _Edited | None = st.session_state.get(_EDITED)
    if edited is None or edited.slug != notebook.slug or edited.key not in st.session_state:
        return
    value = [str(tag) for tag in st.session_state[edited.key]]
    add = [tag for tag in value if tag not in edited.shown]
    remove = [tag for tag in edited.shown if tag not in value]
    if not add and not remove:
        return
    try:
        of = notebook.tags()
        there = {alike(tag) for source_id in edited.ids for tag in of.get(source_id, ())}
        notebook.tag(edited.names, add=add, remove=[tag for tag in remove if alike(tag) in there])
    except RagbookError as error:
        st.session_state[_REFUSED] = str(error)
