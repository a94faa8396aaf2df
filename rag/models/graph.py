"""The graph of all-MiniLM-L6-v2, in the arithmetic that is fastest on this processor and right.

The published file holds its matrices in 8 bits with one scale a column, but computes with one node for each step of
attention. The graphs beside this have onnxruntime's fused attention, and read the matrices where they lie in that file
(`scripts/make_graph.py` makes them). Cosines to the published file are over 0.9999 in either arithmetic, and over
0.99999 in float32; speed is in `bench/README.md`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.models.tokens import checked

if TYPE_CHECKING:
    import onnxruntime as ort

ASSETS = Path(__file__).parent / "assets" / "minilm"
DIGESTS = {
    "bits.onnx": "e6395f0c4ed490d77db17a781ad611ee0d85f9c4e379361a3daa56328bd05a30",
    "float.onnx": "a9dd0ce75f93cb4764b8d9a556dcf69e0c6c62d1191d4c448ff0375a1c37f2b5",
    "probe.onnx": "86a27f8be5e291b13c94dbcc15f9677188502eb2b4f9f229513598f30fa3e75c",
}
_DAMAGED = "It is part of Ragbook: install Ragbook again."


def session(weights: Path) -> ort.InferenceSession:
    """The model, ready to run: it takes `input_ids`, (n, tokens) int64 without padding, and gives `last_hidden_state`,
    (n, tokens, 384) float32. `weights` is the published file, which the caller has checked.

    Raises:
        ModelMissing: a graph is missing, or not the file it should be.
    """
    options = _options()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights.parent))
    return _session("float.onnx" if saturates() else "bits.onnx", options)


@functools.cache
def saturates() -> bool:
    """Whether this processor's products of bytes are wrong for large ones: without instructions made for them, x86
    adds two into 16 bits, and cuts off what is over. Asked by multiplying."""
    left = np.full((1, 64), 255, np.uint8)
    product = _session("probe.onnx", _options()).run(None, {"left": left})[0]
    return bool((product != 64 * 255 * 127).any())


def _session(name: str, options: ort.SessionOptions, folder: Path = ASSETS) -> ort.InferenceSession:
    import onnxruntime as ort

    graph = checked(folder / name, DIGESTS[name], _DAMAGED)
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _options() -> ort.SessionOptions:
    import onnxruntime as ort

    options = ort.SessionOptions()
    # One thread a run and as many runs at once as there are cores: `MiniLm.embed` shares the windows out.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # A pattern is kept for every shape met, and shapes vary.
    options.enable_mem_pattern = False
    # Everything worth fusing is fused; more would bring back slower nodes.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    return options
