"""`embed`: the default embedding model on real English text."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np

from bench import contestant
from bench.figures import Report, middle
from bench.meter import Meter, cpu, peak

CHUNKS = 300


def measure(_work: Path, extent: str) -> Report:
    """Chunks per CPU-second, and the most memory the process ever had."""
    count = CHUNKS // 2 if extent == "quick" else CHUNKS
    runs = [contestant.run(__name__, "local", count=count) for _ in range(1 if extent == "quick" else 2)]
    report = Report(
        "embed",
        f"the default embedder on {count} chunks of the Python language reference; median of {len(runs)} process(es)",
        ["", "chunks", "tokens each", "CPU s", "chunks per CPU s", "peak memory MB", "GFLOP per CPU s"],
        raw={"local": runs},
    )
    rate = count / middle(runs, "embed", "cpu")
    tokens, most = middle(runs, "tokens"), middle(runs, "peak")
    for title, stage in (("imports", "imports"), ("load the model, first text", "load"), ("embed", "embed")):
        spent = f"{middle(runs, stage, 'cpu'):.2f}"
        figures = ["", "", spent, "", "", ""]
        if stage == "embed":
            speed = f"{rate * _gflop(tokens):.0f}"
            figures = [str(count), f"{tokens:.0f}", spent, f"{rate:.1f}", f"{most:.0f}", speed]
        report.rows.append([title, *figures])
    report.rows.append(["numpy: 1024 x 384 @ 384 x 1536", "", "", "", "", "", f"{middle(runs, 'product'):.0f}"])
    report.reaches("speed", rate, "chunks per CPU-second", least=20)
    share = rate * _gflop(tokens) / middle(runs, "product")
    report.reaches("share of the arithmetic rate of numpy's matrix product, same process", share * 100, "%")
    report.reaches("memory", most, "MB at most", most=500)
    return report


def local(count: int) -> contestant.Result:
    """Embed as a build does: through the counting shell, in its batches."""
    from bench.texts import passages
    from rag.config import Config
    from rag.models.factory import make_embedder

    meter = Meter()
    meter.imported()
    model = make_embedder(Config())
    texts = passages(count)
    with meter.stage("load"):
        model.embed_query("warm")
    tokens = sum(model.count_tokens(texts)) / count
    top = peak()
    with meter.stage("embed"):
        embedded = sum(len(indexes) for indexes, _ in model.embed(texts, "text"))
    assert embedded == count
    top = max(top, peak())
    return {**meter.stages, "tokens": tokens, "peak": top, "product": _product()}


def _gflop(tokens: float) -> float:
    """GFLOP of one text: 10.6 million multiply-adds per token, and attention in 6 layers of 384."""
    return (2 * 10.6e6 * tokens + 6 * 4 * 384 * tokens**2) / 1e9


def _product() -> float:
    """GFLOP per CPU-second of numpy's matrix product, at sizes of the model's: what this machine gives today."""
    left, right = np.ones((1024, 384), np.float32), np.ones((384, 1536), np.float32)
    rates = []
    for _ in range(5):
        started = cpu()
        for _ in range(50):
            left @ right
        rates.append(50 * 2 * 1024 * 384 * 1536 / (cpu() - started) / 1e9)
    return median(rates)
