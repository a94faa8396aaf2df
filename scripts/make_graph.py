"""Make the graphs that compute all-MiniLM-L6-v2: `rag/models/assets/minilm/*.onnx`.

    python scripts/make_graph.py

They hold no matrices: those are read where they lie in the published file, in 8 bits with one scale a column. What is
made depends on that file alone, so that making it again gives the same bytes. Needs `onnx` (requirements-dev.txt).

Two graphs of the same layers, with fused attention. `float.onnx` unfolds the matrices to float32 when it is loaded.
`bits.onnx` multiplies in 8 bits, twice: what comes in is rounded to 8 bits, and so is what the rounding left over, in
steps 254 times smaller; together that is 16 bits. Where the processor adds products of bytes without saturating, that
is faster, and elsewhere it is wrong (`rag.models.graph.saturates`, which asks by `probe.onnx`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

ASSETS = Path(__file__).resolve().parent.parent / "rag" / "models" / "assets" / "minilm"
WEIGHTS = "model.onnx"

_LAYERS, _HEADS, _WIDTH = 6, 12, 384
_EPSILON = 1e-12  # of layer normalisation in BERT
_FINER = 254  # steps of the second rounding to one of the first, whose error is half a step either way
_OURS = "com.microsoft"  # the domain of onnxruntime's own operators
_PRODUCTS = ("query", "key", "value", "attention output", "intermediate", "output")


class Graph:
    """Nodes and tensors while they are put together; every step returns the name of its output."""

    def __init__(self, content: bytes, *, bits: bool) -> None:
        """`content` is the published file; with `bits`, products are in 8 bits."""
        source = onnx.load_model_from_string(content).graph
        self._content = content
        self._bits = bits
        self._source = {one.name: one for one in source.initializer}
        # The exporter numbered the matrices in the order of their use and gave them no other names.
        weights = [node.input[1] for node in source.node if node.op_type == "MatMul"]
        self._weights = [name for name in weights if f"{name}_q" in self._source]
        if len(self._weights) != _LAYERS * len(_PRODUCTS):
            raise ValueError(f"the model has {len(self._weights)} matrices, not {_LAYERS * len(_PRODUCTS)}")
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        """The graph. It takes `input_ids`, (n, tokens) int64 without padding, and gives `last_hidden_state`,
        (n, tokens, 384) float32."""
        if self._bits:
            self._constant("weights.zero", np.array(0, np.int8))
            self._constant("left.zero", np.array(128, np.uint8))
            self._constant("finer", np.array(1 / _FINER, np.float32))
        state = self._embeddings()
        for layer in range(_LAYERS):
            state = self._layer(layer, state)
        self._node("Identity", [state], "last_hidden_state")
        return _model(
            self._nodes,
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "tokens"])],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "tokens", _WIDTH])],
            self._initializers,
        )

    def _embeddings(self) -> str:
        inner = "inner.embeddings"
        # The table of words stays in 8 bits: as float32 it would take 47 MB.
        rows = self._node("Gather", [self._matrix(f"{inner}.word_embeddings.weight_q"), "input_ids"], "words_q")
        scales = self._node("Gather", [self._tensor(f"{inner}.word_embeddings.weight_scale"), "input_ids"], "words_s")
        words = self._node("Mul", [self._node("Cast", [rows], "words_exact", to=TensorProto.FLOAT), scales], "words")
        # One kind of token only: its vector is part of every position.
        places = self._unfolded(f"{inner}.position_embeddings.weight")
        kind = self._constant("kind", self._values(f"{inner}.token_type_embeddings.weight")[0])
        shape = self._node("Shape", ["input_ids"], "tokens", start=1)
        zero = self._constant("zero", np.array([0], np.int64))
        placed = self._node("Slice", [self._node("Add", [places, kind], "places"), zero, shape, zero], "placed")
        return self._normalised(self._node("Add", [words, placed], "embedded"), f"{inner}.LayerNorm")

    def _layer(self, layer: int, state: str) -> str:
        inner = f"inner.encoder.layer.{layer}"
        name = {product: self._weights[layer * len(_PRODUCTS) + at] for at, product in enumerate(_PRODUCTS)}
        parts = ("query", "key", "value")
        rounded = self._rounded(state)
        split = [self._product(rounded, name[part], f"{layer}.{part}") for part in parts]
        bias = np.concatenate([self._values(f"{inner}.attention.self.{part}.bias") for part in parts])
        biases = self._constant(f"{layer}.attention.bias", bias)
        seen = self._node("MultiHeadAttention", [*split, biases], f"{layer}.seen", _OURS, num_heads=_HEADS)
        seen = self._product(self._rounded(seen), name["attention output"], f"{layer}.attention.output")
        state = self._added(state, seen, f"{inner}.attention.output")
        wide = self._product(self._rounded(state), name["intermediate"], f"{layer}.intermediate")
        wide = self._node(
            "BiasGelu", [wide, self._tensor(f"{inner}.intermediate.dense.bias")], f"{layer}.active", _OURS
        )
        out = self._product(self._rounded(wide), name["output"], f"{layer}.output")
        return self._added(state, out, f"{inner}.output")

    def _rounded(self, left: str) -> tuple[str, ...]:
        """What stands for `left` in products: itself, or its bytes and the bytes of what rounding left over, each with
        scale and zero."""
        if not self._bits:
            return (left,)
        names = [f"{left}.coarse", f"{left}.coarse.scale", f"{left}.coarse.zero"]
        self._nodes.append(_made("DynamicQuantizeLinear", [left], names))
        back = self._node("DequantizeLinear", names, f"{left}.back")
        rest = self._node("Sub", [left, back], f"{left}.rest")
        scale = self._node("Mul", [names[1], "finer"], f"{left}.fine.scale")
        fine = self._node("QuantizeLinear", [rest, scale, "left.zero"], f"{left}.fine")
        return (*names, fine, scale, "left.zero")

    def _product(self, left: tuple[str, ...], weights: str, output: str) -> str:
        if len(left) == 1:
            return self._node("MatMul", [left[0], self._unfolded(weights)], output)
        right, scales = self._matrix(f"{weights}_q"), self._constant(f"{weights}_scales", self._scales(weights))
        halves = [
            self._node(
                "MatMulIntegerToFloat",
                [left[at], right, left[at + 1], scales, left[at + 2], "weights.zero"],
                f"{output}.{part}",
                _OURS,
            )
            for at, part in ((0, "coarse"), (3, "fine"))
        ]
        return self._node("Add", halves, output)

    def _added(self, state: str, change: str, inner: str) -> str:
        biased = self._node("Add", [change, self._tensor(f"{inner}.dense.bias")], f"{change}.biased")
        # Not onnxruntime's SkipLayerNormalization, which takes four times as long as these two.
        return self._normalised(self._node("Add", [biased, state], f"{change}.added"), f"{inner}.LayerNorm")

    def _normalised(self, state: str, inner: str) -> str:
        inputs = [state, self._tensor(f"{inner}.weight"), self._tensor(f"{inner}.bias")]
        return self._node("LayerNormalization", inputs, f"{inner}.normalised", epsilon=_EPSILON)

    def _unfolded(self, weights: str) -> str:
        """A matrix as float32, made once, when the graph is loaded."""
        exact = self._node("Cast", [self._matrix(f"{weights}_q")], f"{weights}_exact", to=TensorProto.FLOAT)
        scales = self._constant(f"{weights}_scale", self._values(f"{weights}_scale"))
        return self._node("Mul", [exact, scales], f"{weights}_unfolded")

    def _node(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        self._nodes.append(_made(operator, inputs, [output], domain, **attributes))
        return output

    def _values(self, name: str) -> npt.NDArray[Any]:
        return numpy_helper.to_array(self._source[name])

    def _scales(self, weights: str) -> npt.NDArray[Any]:
        return self._values(f"{weights}_scale").reshape(-1)

    def _tensor(self, name: str) -> str:
        return self._constant(name, self._values(name))

    def _constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _matrix(self, name: str) -> str:
        """A matrix of bytes, where it lies in the published file."""
        there = self._source[name]
        assert there.data_type == TensorProto.INT8, name
        at = self._content.find(there.raw_data)
        assert at >= 0, name
        assert self._content.find(there.raw_data, at + 1) < 0, f"{name} is there twice"
        made = TensorProto(name=name, data_type=there.data_type, dims=there.dims, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", WEIGHTS), ("offset", str(at)), ("length", str(len(there.raw_data)))):
            made.external_data.add(key=key, value=value)
        self._initializers.append(made)
        return name


def probe() -> onnx.ModelProto:
    """A product of bytes that is (1, 64) times (64, 8), as the graph in 8 bits has them."""
    right = numpy_helper.from_array(np.full((64, 8), 127, np.int8), "right")
    return _model(
        [_made("MatMulInteger", ["left", "right"], ["product"])],
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [1, 64])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [1, 8])],
        [right],
    )


def _made(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, outputs, domain=domain, **attributes)


def _model(nodes: Any, inputs: Any, outputs: Any, initializers: Any) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "all-MiniLM-L6-v2", inputs, outputs, initializers)
    operators = [helper.make_opsetid("", 17), helper.make_opsetid(_OURS, 1)]
    return helper.make_model(graph, opset_imports=operators, ir_version=10, producer_name="ragbook")


def made(content: bytes) -> dict[str, bytes]:
    """Every file by its name."""
    graphs = {"bits.onnx": Graph(content, bits=True), "float.onnx": Graph(content, bits=False)}
    models = {name: graph.model() for name, graph in graphs.items()} | {"probe.onnx": probe()}
    return {name: model.SerializeToString(deterministic=True) for name, model in models.items()}


def main() -> None:
    """Write the files."""
    sys.path.insert(0, str(ASSETS.parents[3]))
    from rag.models.minilm import installed

    for name, content in made(installed().read_bytes()).items():
        (ASSETS / name).write_bytes(content)


if __name__ == "__main__":
    main()
