"""The end of a training run: test results, results.json and report.html."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from fcnn.cli.output import write_whole
from fcnn.cli.train.plan import Plan
from fcnn.cli.train.report.page import page
from fcnn.cli.train.trained import Trained, trained
from fcnn.training import Metric, evaluate
from fcnn.training.callbacks.metrics_file import plain
from fcnn.training.sources import Source


def finish(made: Plan) -> int:
    """Test the model, print the result, and write results.json and report.html."""
    model = trained(made.folder, "tested")
    part = "validation" if made.data.test is None else "test"
    source = made.data.validation if made.data.test is None else made.data.test
    results: dict[str, Any] = {"step": model.step, "part": part}
    if source is not None:
        results |= {"examples": source.length, **measured(model, source)}
    write_whole(made.folder / "results.json", json.dumps(results, indent=1) + "\n")
    rows = read_metrics(made.folder / "metrics.jsonl")
    report = made.folder / "report.html"
    write_whole(report, page(f"{made.folder}", model.config, rows, results))
    if source is not None:
        print(f"{part} of step {model.step}: {line(results)}", flush=True)
    print(f"{report}", flush=True)
    return 0 if results.get("loss", 0) is not None else 1


def measured(model: Trained, source: Source) -> dict[str, Any]:
    """Loss, and for classes accuracy and confusion matrix, of a source; None if not finite."""
    recipe, metrics = model.recipe, dict(model.recipe.metrics)
    if model.classes is not None and not source.spec["y"].shape:
        metrics["confusion"] = confusion(len(model.classes))
    found = evaluate(
        recipe.model, model.params, model.state, source, {"loss": recipe.test_loss, **metrics}
    )
    return {name: plain(value) for name, value in found.items()}


def confusion(classes: int) -> Metric:
    """Confusion matrix: examples of class i (row) that are predicted as class j (column)."""

    def add(matrix, outputs, batch):
        return matrix.at[batch["y"], outputs.argmax(-1)].add(1)

    return Metric(jnp.zeros((classes, classes), jnp.int32), add, lambda matrix: matrix)


def line(results: Mapping[str, Any]) -> str:
    """Results in one line: "accuracy 97.8 %, loss 0.0712, 360 examples"."""
    parts = [f"accuracy {results['accuracy']:.1%}"] if "accuracy" in results else []
    loss = "not finite" if results["loss"] is None else f"{results['loss']:.4g}"
    return ", ".join([*parts, f"loss {loss}", f"{results['examples']:,} examples"])


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(text) for text in lines]
