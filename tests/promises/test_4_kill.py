"""Promise 4: a kill at any moment loses at most the batch in flight; what opens is the old or the new, never a mixture.

`python -m bench.killing` does the same for longer, with compaction among the actions.
"""

from __future__ import annotations

import pytest

from bench.killing import Figures, Template, kill, killed_everywhere, staged, template

KILLS = {"first build": 9, "update": 8, "removal": 3, "other recipe": 4, "rollback": 3, "garbage": 3}


@pytest.fixture(scope="module")
def running():
    with template() as one:
        yield one


@pytest.mark.parametrize("name", KILLS)
def test_killed_at_any_moment_it_is_the_old_or_the_new(name, running: Template, tmp_path):
    figures = Figures()
    stage = staged(name, tmp_path, running)
    killed_everywhere(stage, KILLS[name], tmp_path, running, figures)
    assert figures.kills >= KILLS[name]
    assert figures.old + figures.new == figures.kills + figures.survived
    assert figures.debris == 0


def test_a_rollback_asked_for_again_leaves_nothing_lying(running: Template, tmp_path):
    """Killed after it recorded its wish and before it published: the second finds the wish, and records no other."""
    figures = Figures()
    stage = staged("rollback", tmp_path, running)
    for step in range(stage.steps - 14, stage.steps):
        kill(stage, tmp_path, running, figures, die_at=step)
    assert figures.old
    assert figures.new
    assert figures.debris == 0


def test_the_last_step_that_can_be_killed_is_after_the_commit(running: Template, tmp_path):
    """The harness sees both sides of the commit: killed at its first step nothing has happened, at its last all has."""
    stage = staged("update", tmp_path, running)
    first, last = Figures(), Figures()
    kill(stage, tmp_path, running, first, die_at=1)
    kill(stage, tmp_path, running, last, die_at=stage.steps)
    assert (first.kills, first.old, first.new) == (1, 1, 0)
    assert (last.kills, last.old, last.new) == (1, 0, 1)
