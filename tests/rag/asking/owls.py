"""A notebook about owls and bread, and what it answers."""

from __future__ import annotations

from tests.doubles import CountingEmbedding
from tests.notebooks import answered, notebook

OWLS = "Owls hunt at night. They eat 12 mice a week."
BREAD = "Bread rises because yeast makes gas."


def asked(home, llm, question="When do owls hunt?", **more):
    """The answer of a language model, or without one."""
    return answered(notebook(home, CountingEmbedding(), llm=llm), question, **more)
