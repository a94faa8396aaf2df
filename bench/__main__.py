"""`python -m bench [NAME …] [--quick | --large] [--json FILE]`: measure, print tables and ratios."""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.meter import cpu

BENCHMARKS = {
    "open": "opening",
    "append": "appending",
    "embed": "embedding",
    "exact": "exact_search",
    "hybrid": "hybrid",
    "growth": "growth",
    "memory": "bounded",
    "killing": "surviving",
    "citations": "citations",
    "answers": "answers",
    "quality": "quality",
    "reranking": "reranking",
    "context": "context",
}
ASKED_FOR = {"killing", "answers", "quality", "reranking", "context"}
"""Run only when named."""
USUAL = [name for name in BENCHMARKS if name not in ASKED_FOR]


def main() -> None:
    """Run the named benchmarks, the usual ones by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ragbook measured beside its peers.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}; all but {', '.join(sorted(ASKED_FOR))} by default",
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_const", const="quick", dest="extent", help="fewer runs")
    large = "100,000 chunks in `append` and `growth` too: about fifteen minutes more; more kills"
    extent.add_argument("--large", action="store_const", const="large", dest="extent", help=large)
    parser.set_defaults(extent="usual")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there too")
    data = "for `quality`, `reranking`, `context`: folder of the collections with questions; default ../shared/data"
    parser.add_argument("--data", type=Path, metavar="FOLDER", default=Path("../shared/data"), help=data)
    kept = "for `quality`: keep the vectors of the collections there, and use those that are there"
    parser.add_argument("--vectors", type=Path, metavar="FOLDER", help=kept)
    model = "for `reranking`: folder or name of a cross-encoder"
    parser.add_argument("--model", metavar="MODEL", help=model)
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    records, missed = [], []
    with TemporaryDirectory(prefix="ragbook-bench-") as folder:
        for name in chosen.names or USUAL:
            spent, started = cpu(), time.monotonic()
            more = {
                "quality": {"data": chosen.data, "kept": chosen.vectors},
                "reranking": {"data": chosen.data, "model": chosen.model},
                "context": {"data": chosen.data},
            }.get(name, {})
            report = import_module(f"bench.{BENCHMARKS[name]}").measure(Path(folder), chosen.extent, **more)
            report.cpu = cpu() - spent
            print(report.text(), flush=True)
            print(
                f"  (measured in {report.cpu:.0f} CPU s, {time.monotonic() - started:.0f} s by the clock)\n", flush=True
            )
            records.append(report.record())
            missed += [ratio.what for ratio in report.all_ratios() if ratio.met is False]
    if chosen.json:
        about = {"python": platform.python_version(), "machine": platform.machine(), "date": time.strftime("%Y-%m-%d")}
        chosen.json.write_text(json.dumps({"about": about, "benchmarks": records}, indent=1) + "\n")
    print("goals missed: " + "; ".join(missed) if missed else "every goal met")


if __name__ == "__main__":
    main()
