"""Whether a live model is still the one of the saved vectors."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.checked import FORMAT, dump_checked
from rag.config import Config, Secret
from rag.errors import AlreadyExists, Damaged, SpaceRefused, VectorInvalid
from rag.models.embedder import Embedder
from rag.spaces.admission import Admission
from rag.spaces.canary import CANARY_COSINE, CANARY_TEXTS
from rag.spaces.saved import Spaces
from rag.spaces.space import Space
from rag.storage.objects import LocalObjects
from tests.doubles import CountingEmbedding, RaisingEmbedding, embedder_of

REMOTE = Config(embedder="openai-compatible", embed_model="m", embed_base_url="http://localhost:1/v1")
LOCAL = Config()


def live(seed: int = 0, dimensions: int = 64, **settings: Any) -> Embedder:
    return embedder_of(CountingEmbedding(seed=seed, dimensions=dimensions), **settings)


def silent() -> Embedder:
    return embedder_of(RaisingEmbedding())


@pytest.fixture
def spaces(tmp_path: Path) -> Spaces:
    return Spaces(LocalObjects(tmp_path))


@pytest.fixture
def admission(spaces: Spaces) -> Admission:
    return Admission(spaces)


def saved_file(tmp_path: Path) -> Path:
    (path,) = tmp_path.glob("spaces/*/space.json")
    return path


def test_a_model_not_met_before_is_saved_with_its_canary(admission: Admission, spaces: Spaces, tmp_path: Path) -> None:
    assert spaces.wanted(REMOTE) is None
    embedder = live()
    space = admission.admit(embedder, REMOTE)
    assert (space.provider, space.model, space.dimensions) == ("openai-compatible", "m", 64)
    assert embedder.usage.texts == len(CANARY_TEXTS) == 8
    assert spaces.all() == [space]
    assert spaces.wanted(REMOTE) == space
    saved = spaces.get(space.fingerprint)
    assert saved.space == space
    assert saved.endpoint == "http://localhost:1/v1"
    expected = np.array([CountingEmbedding().vector(text) for text in CANARY_TEXTS], dtype=np.float32)
    assert np.allclose(saved.text_vectors, expected, atol=1e-6)
    assert saved.text_vectors.dtype == np.float32
    assert saved_file(tmp_path).parent.name == space.fingerprint[:16]


def test_nothing_secret_is_saved(admission: Admission, tmp_path: Path) -> None:
    admission.admit(live(), replace(REMOTE, api_key=Secret("sk-very-secret")))
    assert b"sk-very" not in saved_file(tmp_path).read_bytes()


def test_the_same_model_is_admitted_again(admission: Admission, spaces: Spaces) -> None:
    space = admission.admit(live(), REMOTE)
    again = live()
    assert admission.admit(again, REMOTE) == space
    assert again.usage.texts == 8
    assert spaces.all() == [space]
    admission.check(space, live())


def test_the_same_model_elsewhere_is_adopted(admission: Admission, spaces: Spaces) -> None:
    space = admission.admit(live(), REMOTE)
    elsewhere = replace(REMOTE, embed_base_url="http://elsewhere:2/v1")
    assert admission.admit(live(), elsewhere) == space
    assert spaces.get(space.fingerprint).endpoint == "http://localhost:1/v1"  # where it came from, no more
    assert len(spaces.all()) == 1


def test_another_model_of_equal_dimension_is_refused(admission: Admission, spaces: Spaces) -> None:
    space = admission.admit(live(), REMOTE)
    for attempt in (lambda: admission.admit(live(seed=1), REMOTE), lambda: admission.check(space, live(seed=1))):
        with pytest.raises(SpaceRefused, match=r"another one: its test vectors agree to .* only") as error:
            attempt()
        assert "m (openai-compatible, 64 dimensions)" in str(error.value)
        assert "Nothing was mixed" in str(error.value)
    assert spaces.all() == [space]


@pytest.mark.parametrize("dimensions", [32, 128])
def test_another_dimension_is_refused(dimensions: int, admission: Admission) -> None:
    space = admission.admit(live(), REMOTE)
    for attempt in (
        lambda: admission.admit(live(dimensions=dimensions), REMOTE),
        lambda: admission.check(space, live(dimensions=dimensions)),
    ):
        with pytest.raises(SpaceRefused, match=f"now returns {dimensions} dimensions"):
            attempt()


def test_another_dimension_than_the_recorded_is_refused_too(admission: Admission, spaces: Spaces) -> None:
    asked = replace(REMOTE, embed_dimensions=64)
    space = admission.admit(live(dimensions=64, batch_size=8), asked)
    shorter = embedder_of(CountingEmbedding(dimensions=32), dimensions=64)
    for attempt in (lambda: admission.admit(shorter, asked), lambda: admission.check(space, shorter)):
        with pytest.raises(SpaceRefused, match="32 dimensions; expected 8 of 64") as error:
            attempt()
        assert isinstance(error.value.__cause__, VectorInvalid)
    assert spaces.all() == [space]


def test_a_new_model_with_another_dimension_than_asked_for_is_not_saved(admission: Admission, spaces: Spaces) -> None:
    with pytest.raises(VectorInvalid):
        admission.admit(embedder_of(CountingEmbedding(), dimensions=32), replace(REMOTE, embed_dimensions=32))
    assert spaces.all() == []


def test_a_model_that_fails_is_not_refused(admission: Admission, spaces: Spaces) -> None:
    space = admission.admit(live(), REMOTE)
    broken = CountingEmbedding()
    broken.fail(1, RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        admission.check(space, embedder_of(broken))
    broken = CountingEmbedding()
    broken.fail(1, RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        admission.admit(embedder_of(broken), replace(REMOTE, embed_model="other"))
    assert spaces.all() == [space]


def test_weights_known_by_digest_are_not_asked_again(admission: Admission) -> None:
    space = admission.admit(live(dimensions=384), LOCAL)
    assert space.revision
    assert admission.admit(silent(), LOCAL) == space


def test_other_settings_are_other_spaces(admission: Admission, spaces: Spaces) -> None:
    first = admission.admit(live(), REMOTE)
    other = replace(REMOTE, embed_model="n")
    assert spaces.wanted(other) is None
    second = admission.admit(live(seed=1), other)
    assert second.fingerprint != first.fingerprint
    assert spaces.all() == [first, second]
    # A → B → A: the first is still there.
    assert spaces.wanted(REMOTE) == first
    assert admission.admit(live(), REMOTE) == first


def test_a_little_noise_is_the_same_model_and_more_is_not(admission: Admission, spaces: Spaces) -> None:
    space = admission.admit(live(), REMOTE)
    saved = spaces.get(space.fingerprint).text_vectors
    noise = np.random.default_rng(1).standard_normal(saved.shape).astype(np.float32)
    noise -= (noise * saved).sum(axis=1, keepdims=True) * saved
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)

    def at(cosine: float) -> np.typing.NDArray[np.float32]:
        turned: np.typing.NDArray[np.float32] = (cosine * saved + (1 - cosine**2) ** 0.5 * noise).astype(np.float32)
        return turned

    # The least that two graphs of the default model's weights gave, and the most that quantising them again left.
    for cosine in (0.9988, CANARY_COSINE + 1e-4):
        assert admission.check(space, silent(), (at(cosine), at(cosine))) == space
    for cosine in (0.9963, 0.9913):
        with pytest.raises(SpaceRefused, match=f"{cosine} only"):
            admission.check(space, silent(), (at(cosine), at(cosine)))
    far = saved.copy()
    far[5] = CANARY_COSINE * saved[5] + (1 - CANARY_COSINE**2) ** 0.5 * noise[5] - 1e-3 * saved[5]
    with pytest.raises(SpaceRefused):
        admission.check(space, silent(), (far, saved))
    with pytest.raises(SpaceRefused):
        admission.check(space, silent(), (saved, far))


def test_where_queries_are_embedded_in_another_way_both_are_compared(
    admission: Admission, spaces: Spaces, tmp_path: Path
) -> None:
    prefixed = replace(Space("openai-compatible", "m", "", 64), query_prefix="query: ")
    embedder = live(query_prefix="query: ")
    texts = np.array([CountingEmbedding().vector(text) for text in CANARY_TEXTS], dtype="<f4")
    queries = np.array([CountingEmbedding().vector("query: " + text) for text in CANARY_TEXTS], dtype="<f4")
    import base64

    body = {
        "format": FORMAT,
        "space": asdict(prefixed),
        "created": "2026",
        "endpoint": "",
        "canary": {
            "texts": list(CANARY_TEXTS),
            "text_vectors": base64.b64encode(texts.tobytes()).decode(),
            "query_vectors": base64.b64encode(queries.tobytes()).decode(),
        },
    }
    LocalObjects(tmp_path).create(f"{spaces.folder(prefixed.fingerprint)}/space.json", dump_checked(body))
    admission.check(prefixed, embedder)
    assert embedder.usage.texts == 16
    with pytest.raises(SpaceRefused):
        admission.check(prefixed, live(query_prefix="other words entirely: "))


def test_a_damaged_space_is_unknown_and_refused_with_what_to_do(
    admission: Admission, spaces: Spaces, tmp_path: Path
) -> None:
    space = admission.admit(live(), REMOTE)
    path = saved_file(tmp_path)
    whole = path.read_bytes()
    for content in (b"", whole[:-20], whole.replace(b'"m"', b'"n"')):
        path.write_bytes(content)
        assert spaces.all() == []
        with pytest.raises(Damaged, match=r"space\.json fails its check"):
            spaces.get(space.fingerprint)
        # Perhaps it is the same model, perhaps not: without the canary nothing tells.
        with pytest.raises(Damaged, match=r"`python -m rag doctor --repair`"):
            admission.admit(live(), REMOTE)
    path.write_bytes(whole)
    assert admission.admit(live(), REMOTE) == space


def test_vectors_without_a_canary_are_not_taken_over(admission: Admission, tmp_path: Path) -> None:
    space = admission.admit(live(), REMOTE)
    content = saved_file(tmp_path).read_bytes()
    folder = saved_file(tmp_path).parent
    (folder / "vectors.lance").mkdir()
    (folder / "space.json").unlink()
    with pytest.raises(Damaged, match=r"space\.json is missing.*doctor --repair"):
        admission.admit(live(seed=1), REMOTE)
    # Whoever has checked the model by other means can write it anew, once.
    admission.renew(space, live(), "http://localhost:1/v1")
    assert admission.admit(live(), REMOTE) == space
    assert len(content) == len(saved_file(tmp_path).read_bytes())
    with pytest.raises(AlreadyExists):
        admission.renew(space, live(seed=1), "")


def test_a_damaged_space_of_known_weights_is_repaired(admission: Admission, spaces: Spaces, tmp_path: Path) -> None:
    space = admission.admit(live(dimensions=384), LOCAL)
    saved_file(tmp_path).write_bytes(b"")
    assert admission.admit(live(dimensions=384), LOCAL) == space
    assert spaces.get(space.fingerprint).space == space


def test_of_several_variants_the_one_that_agrees_is_wanted(admission: Admission, spaces: Spaces) -> None:
    first = admission.admit(live(), REMOTE)
    with pytest.raises(SpaceRefused):
        admission.admit(live(seed=1), REMOTE)
    assert spaces.refusal(first)
    second = admission.branch(live(seed=1), REMOTE)
    assert (second.variant, spaces.wanted(REMOTE), spaces.refusal(second)) == (1, second, "")
    fresh = silent()
    assert admission.admit(fresh, REMOTE) == second  # by the canary that `branch` has just paid for, once
    with pytest.raises(AssertionError, match="paid for already"):
        admission.admit(fresh, REMOTE)
    for seed, space in ((0, first), (0, first), (1, second), (0, first)):
        embedder = live(seed=seed)
        assert admission.admit(embedder, REMOTE) == spaces.wanted(REMOTE) == space
        assert embedder.usage.texts == len(CANARY_TEXTS)
        assert admission.check(first, live(seed=seed)) == space
    assert spaces.all() == [first, second]
    third = live(seed=2)
    with pytest.raises(SpaceRefused):
        admission.admit(third, REMOTE)
    assert spaces.refusal(first)
    assert spaces.wanted(REMOTE) == first  # the last that agreed
    with pytest.raises(SpaceRefused):
        admission.check(second, live(seed=2))
    assert admission.check(second, live(seed=1)) == spaces.wanted(REMOTE) == second
    assert not spaces.refusal(first)


def test_branching_reuses_a_variant_that_agrees(admission: Admission, spaces: Spaces) -> None:
    first = admission.admit(live(), REMOTE)
    second = admission.branch(live(seed=1), REMOTE)
    assert admission.branch(live(), REMOTE) == spaces.wanted(REMOTE) == first
    assert admission.branch(live(seed=1), REMOTE) == spaces.wanted(REMOTE) == second
    assert admission.branch(live(seed=2), REMOTE).variant == 2
    assert len(spaces.all()) == 3


def test_a_variant_of_another_dimension_is_recognised_too(admission: Admission, spaces: Spaces) -> None:
    first = admission.admit(live(), REMOTE)
    second = admission.branch(live(dimensions=32), REMOTE)
    assert second.dimensions == 32
    assert admission.admit(silent(), REMOTE) == spaces.wanted(REMOTE) == second
    assert admission.check(first, live(dimensions=32)) == second
    assert admission.admit(live(), REMOTE) == spaces.wanted(REMOTE) == first
    shortened = replace(REMOTE, embed_dimensions=16)
    asked = admission.admit(live(dimensions=16), shortened)
    with pytest.raises(SpaceRefused):
        admission.check(first, live(dimensions=16))  # shortened is not what the model gives by itself
    assert spaces.wanted(shortened) == asked


def test_a_canary_that_was_paid_for_serves_only_for_its_settings_and_only_soon(tmp_path: Path) -> None:
    for admission, config in (
        (Admission(Spaces(LocalObjects(tmp_path / "a"))), replace(REMOTE, embed_base_url="http://elsewhere:2/v1")),
        (Admission(Spaces(LocalObjects(tmp_path / "b")), fresh_seconds=-1.0), REMOTE),
    ):
        space = admission.branch(live(), REMOTE)
        embedder = live()
        assert admission.admit(embedder, config) == space
        assert embedder.usage.texts == len(CANARY_TEXTS)


def test_a_variant_whose_canary_is_lost_or_damaged_is_not_taken_over(admission: Admission, tmp_path: Path) -> None:
    first = admission.admit(live(), REMOTE)
    path = saved_file(tmp_path)
    (path.parent / "vectors.lance").mkdir()
    path.unlink()
    second = admission.branch(live(seed=1), REMOTE)
    assert second.variant == 1
    assert not path.exists()
    path.write_bytes(b"")
    assert admission.branch(live(seed=2), REMOTE).variant == 2
    admission.admit(silent(), REMOTE)
    assert admission.admit(live(seed=1), REMOTE) == second
    with pytest.raises(Damaged):
        admission.check(first, live())


def test_a_home_that_takes_no_notes_still_tells_which_variant_it_is(
    admission: Admission, spaces: Spaces, tmp_path: Path
) -> None:
    first = admission.admit(live(), REMOTE)
    second = admission.branch(live(seed=1), REMOTE)
    for space in (first, second):
        note = tmp_path / spaces.folder(space.fingerprint) / "live.json"
        note.unlink(missing_ok=True)
        note.mkdir()  # a folder in its place: nothing can be written there
    assert spaces.wanted(REMOTE) == second
    assert admission.check(second, live()) == first
    assert spaces.wanted(REMOTE) == second
