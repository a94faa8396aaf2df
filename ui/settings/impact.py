"""What applying settings would do to the saved index, said before it is done. No model is called to find out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.changes import Change
from rag.manifest import Manifest
from rag.spaces.recipe import recipe_changes, wanted_recipe

if TYPE_CHECKING:
    from rag import Config, Notebook, Status


@dataclass(frozen=True)
class Impact:
    """The consequences of a change of settings.

    `changes` are the choices of the recipe that differ from the newest snapshot's; `ready` is a snapshot that has the
    asked recipe already; `new_space` says whether no saved vector can be used.
    """

    changes: tuple[Change, ...]
    current: Manifest | None
    ready: Manifest | None
    new_space: bool

    @property
    def keeps_index(self) -> bool:
        """Whether the saved index stays valid as it is."""
        return not self.changes


def impact_of(notebook: Notebook, status: Status, config: Config) -> Impact:
    """Compare what `config` asks for with what is saved."""
    history = notebook.history()
    current = status.head
    recipe = wanted_recipe(config, None)
    changes = recipe_changes(current.recipe if current else status.recipe, recipe)
    ready = next((one for one in history if not recipe_changes(one.recipe, recipe)), None) if changes else None
    return Impact(changes, current, ready, any(change.text("choice").startswith("embedder.") for change in changes))


def candidate(saved: Mapping[str, str], entered: Mapping[str, str], in_force: Mapping[str, str]) -> dict[str, str]:
    """What would be saved: what was entered, without what is empty and what is in force without being saved."""
    others = {name: value for name, value in saved.items() if name not in entered}
    ours = {
        name: value for name, value in entered.items() if value and (name in saved or value != in_force.get(name, ""))
    }
    return {**others, **ours}
