"""The graphs beside the published weights: they compute what the published file computes, in either arithmetic."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from rag.errors import ModelMissing
from rag.models import graph, minilm
from tests.notebooks import ROOT

TEXTS = (
    "owls",
    "That is a happy person",
    "The keel of a ship runs along the middle of its bottom, from bow to stern.",
    "Invoices are paid within thirty days; later ones cost two per cent a month.",
    " ".join(f"Sentence {number} tells how the harbour of the island was built." for number in range(18)),
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """`scripts/make_graph.py`."""
    spec = importlib.util.spec_from_file_location("make_graph", ROOT / "scripts" / "make_graph.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vector(session: ort.InferenceSession, text: str, **more: np.ndarray) -> np.ndarray:
    ids = np.array([list(minilm.minilm().encode(text).ids)], dtype=np.int64)
    feed = {"input_ids": ids} | {name: make(ids) for name, make in more.items()}
    mean = session.run(["last_hidden_state"], feed)[0][0].mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def published(text: str) -> np.ndarray:
    """The vector of a text shorter than a window, by the file as it was published, in float32."""
    session = ort.InferenceSession(str(minilm.installed()), providers=["CPUExecutionProvider"])
    return vector(session, text, attention_mask=np.ones_like, token_type_ids=np.zeros_like)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_its_vectors_are_those_of_the_published_file(text: str) -> None:
    assert float(minilm.shared().embed([text])[0] @ published(text)) > 0.99999


def test_two_products_of_bytes_are_as_good_as_float_where_none_saturates(tmp_path: Path) -> None:
    """With weights that are counted from 128 up none saturates, so that the same graph can be looked at anywhere."""
    shutil.copy(minilm.installed(), tmp_path / "model.onnx")
    model = onnx.load_model(graph.ASSETS / "bits.onnx", load_external_data=False)
    onnx.load_external_data_for_model(model, str(tmp_path))
    right = {node.input[1] for node in model.graph.node if node.op_type == "MatMulIntegerToFloat"}
    assert len(right) == 36
    for one in model.graph.initializer:
        if one.name in right or one.name == "weights.zero":
            raised = (numpy_helper.to_array(one).astype(np.int16) + 128).astype(np.uint8)
            one.CopyFrom(numpy_helper.from_array(raised, one.name))
            assert one.data_type == TensorProto.UINT8
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for text in TEXTS:
        assert float(vector(session, text) @ published(text)) > 0.9999


def test_the_processor_is_asked_by_multiplying() -> None:
    """Where it saturates, the graph in 8 bits is wrong, and the other is chosen; where it does not, it is right."""
    options = graph._options()
    folder = str(minilm.installed().parent)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    bits = graph._session("bits.onnx", options)
    worst = min(float(vector(bits, text) @ published(text)) for text in TEXTS)
    assert graph.saturates() == (worst < 0.9999)


def test_the_files_are_what_the_script_makes(script: ModuleType) -> None:
    made = script.made(minilm.installed().read_bytes())
    assert set(made) == set(graph.DIGESTS)
    for name, content in made.items():
        assert (graph.ASSETS / name).read_bytes() == content, f"run scripts/make_graph.py: {name} is another"


def test_a_file_of_another_model_is_refused(script: ModuleType) -> None:
    other = onnx.helper.make_model(onnx.helper.make_graph([], "another", [], [])).SerializeToString()
    with pytest.raises(ValueError, match="the model has 0 matrices, not 36"):
        script.made(other)


@pytest.mark.parametrize("name", list(graph.DIGESTS))
def test_a_damaged_graph_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((graph.ASSETS / name).read_bytes()[:-1])
    with pytest.raises(ModelMissing, match=rf"{name} is not the expected file.*install Ragbook again"):
        graph._session(name, graph._options(), tmp_path)
