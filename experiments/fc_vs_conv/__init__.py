"""Comparison of fully connected and convolutional networks of equal size, stage by stage.

The claims compare "conv3" (three convolutional stages and a dense head) with "dense" (three dense
stages and a dense head). Both have about the same number of parameters. Their runs are paired by
seed.

    1. conv3 has the higher test accuracy.
    2. dense loses more accuracy when test images are shifted.
    3. dense overfits first: with few training images, dense has the larger gap between training and
       test accuracy.

Command: python -m experiments fc_vs_conv
Result:  all three claims hold on digits (5 seeds), MNIST and Fashion-MNIST (3 seeds). The tables
         with spread, device and minutes are made from experiments/results/fc_vs_conv.
"""

import dataclasses
from statistics import mean

import numpy as np

import fcnn
from experiments.fc_vs_conv import figures
from experiments.fc_vs_conv.config import Config, check, resolved
from experiments.fc_vs_conv.measure import Measured, experiment
from experiments.fc_vs_conv.output import COLUMNS, rows_of, terminal_table, tidy
from experiments.framework.claim import Claim
from experiments.framework.options import parse, refuse
from experiments.framework.report import Findings, report
from experiments.framework.run import Run
from experiments.framework.screen import Screen
from fcnn.cli import compile_cache
from fcnn.data import Dataset, Images, load
from fcnn.models import ladder

TITLE = "Fully connected against convolutional networks, at equal size"
DESCRIPTION = (
    f"{TITLE}. Five networks, from all dense to all convolutional: each replaces one more dense "
    "stage by a convolutional one. Exit code: 0 if every claim holds, 1 if one fails, 2 for an "
    "error, 130 if interrupted."
)


def main(arguments: list[str]) -> int:
    config = parse(Config, "fc_vs_conv", arguments, DESCRIPTION)
    config = resolved(config)
    try:
        data = load(config.dataset, config.data_dir)
        check(config, data)
        data = framed(data, config.frame or 0)
        nets = ladder(data.shape, len(data.classes), width=config.width)
    except ValueError as error:
        return refuse(f"fc_vs_conv: {error}")
    try:
        run = Run("fc_vs_conv", config.output_dir, config)
    except OSError as error:
        return refuse(f"fc_vs_conv: --output-dir {config.output_dir}: {error.strerror}")
    compile_cache.use("fc_vs_conv", config.compile_cache)
    nets = {name: nets[name] for name in config.networks or ()}
    console = Screen()
    measured: dict[str, Measured] = {}
    stopped = ""
    with fcnn.gradients(config.gradients), fcnn.implementations(conv=config.conv):
        try:
            experiment(config, data, nets, measured, run, console)
        except KeyboardInterrupt:
            stopped = "Interrupted"
        except FloatingPointError as diverged:
            stopped = f"Stopped: {diverged}"
    claims = [] if config.smoke or stopped else judge(measured)
    write(run, config, data, measured, claims, stopped)
    console.print(terminal_table(measured))
    for claim in claims:
        console.print(f"[bold]{claim.verdict}[/]: {claim.text} ({claim.evidence})")
    console.print(str(run.folder / "report.html"), highlight=False, soft_wrap=True)
    if run.failed:
        return refuse(f"fc_vs_conv: {run.failed}")
    if stopped:
        console.print(f"{stopped}. The report has the results that were finished before.")
        return 130 if stopped == "Interrupted" else 2
    return 1 if any(claim.held is False for claim in claims) else 0


def framed(data: Dataset, frame: int) -> Dataset:
    """Add `frame` pixels of background around every image; a shift then cuts off fewer pixels."""
    sides = ((0, 0), (frame, frame), (frame, frame), (0, 0))
    pad = lambda images: Images(np.pad(images.x, sides), images.y)
    return data._replace(train=pad(data.train), test=pad(data.test))


def judge(measured: dict[str, Measured]) -> list[Claim]:
    """The claims; an empty list if dense or conv3 has no results."""
    if not {"dense", "conv3"} <= measured.keys():
        return []
    dense, conv = measured["dense"], measured["conv3"]
    sizes = f"{conv.parameters:,} and {dense.parameters:,} parameters"
    claims = [
        Claim.paired(
            f"Convolution beats dense at equal size ({sizes})",
            "test accuracy, conv3 − dense",
            conv.test,
            dense.test,
        )
    ]
    if shift := max(conv.shifted):
        pixels = "1 pixel" if shift == 1 else f"{shift} pixels"
        lost = lambda m: [a - b for a, b in zip(m.test, m.shifted[shift], strict=True)]
        claims.append(
            Claim.paired(
                f"Dense falls further when test images are shifted by {pixels}",
                "accuracy lost, dense − conv3",
                lost(dense),
                lost(conv),
            )
        )
    if few := sorted(conv.few_test):
        gap = lambda m, i: mean(m.few_train[size][i] - m.few_test[size][i] for size in few)
        gaps = lambda m: [gap(m, i) for i in range(len(m.test))]
        counts = ", ".join(map(str, few))
        claims.append(
            Claim.paired(
                "Dense overfits first when training images are few",
                f"train − test accuracy with {counts} training images, dense − conv3",
                gaps(dense),
                gaps(conv),
            )
        )
    return claims


def write(run: Run, config: Config, data: Dataset, measured, claims, stopped: str) -> None:
    """Write results.json, results.csv, the figures and report.html."""
    results = {name: dataclasses.asdict(m) for name, m in measured.items()}
    verdicts = [dataclasses.asdict(claim) for claim in claims]
    run.save_json("results.json", {"networks": results, "claims": verdicts, "stopped": stopped})
    run.save("results.csv", tidy(measured, len(data.train.y)))
    findings = Findings(
        title=TITLE,
        summary=f"{len(measured)} networks between all dense and all convolutional, with about "
        f"equal numbers of parameters, trained on {len(data.train.y):,} images of {data.name} and "
        f"tested on {len(data.test.y):,}; {config.seeds} seeds each.",
        claims=claims,
        judged="A claim holds if its mean difference, paired over seeds, exceeds twice its "
        "standard error (±).",
        tables=[(COLUMNS, rows_of(measured))],
        notes=notes(config),
        figures=figures.draw(run, measured, len(data.train.y)),
        stopped=stopped,
    )
    run.save("report.html", report(run, findings))
    run.close()


def notes(config: Config) -> list[str]:
    """The meaning of the columns of the table."""
    pixels = "1 pixel" if config.shift == 1 else f"{config.shift} pixels"
    return [
        "Accuracies are means over seeds ± one standard deviation. gap: train − test accuracy, in "
        f"percentage points. shifted: test accuracy with every image moved {pixels}, "
        "the mean of four directions.",
        "MACs: multiply-adds of one forward pass; act. kB: bytes of all layers' outputs; both are "
        "for one image and counted from shapes. step: one training step of one seed on a batch of "
        f"{config.batch_size}, the median of interleaved runs; comp.: its compilation.",
        "A stage is dense and relu, or conv 3×3, relu and max pool 2×2. In conv1, conv2 and conv3 "
        "the first one, two or three stages are convolutional; conv3-gap ends in global average "
        "pooling instead of flattening.",
    ]
