"""Three figures: accuracy against network, shift of test images, and number of training images."""

from statistics import mean, stdev

from experiments.fc_vs_conv.measured import Results

COLOURS = {  # red for dense, darker blue for more convolutional stages, green for global pooling
    "dense": "#d1495b",
    "conv1": "#a9c6e8",
    "conv2": "#5b93d3",
    "conv3": "#17508f",
    "conv3-gap": "#2a9d6f",
}


def by_network(axes, found: Results) -> str | None:
    done = _done(found)
    if not done:
        return None
    for i, (name, m) in enumerate(done.items()):
        spread = stdev(m.test) if len(m.test) > 1 else 0
        for at, values, face in ((i - 0.12, m.train, "white"), (i + 0.12, m.test, COLOURS[name])):
            axes.plot(
                [at] * len(values),
                [100 * v for v in values],
                "o",
                color=COLOURS[name],
                mfc=face,
                ms=6,
            )
        axes.annotate(
            f"{100 * mean(m.test):.2f} ± {100 * spread:.2f}",
            (i + 0.12, 100 * min(m.test)),
            textcoords="offset points",
            xytext=(0, -16),
            ha="center",
            fontsize=9,
        )
    axes.set_xticks(range(len(done)), list(done))
    axes.set_xlim(-0.6, len(done) - 0.4)
    axes.margins(y=0.18)
    axes.set_ylabel("accuracy, %")
    axes.set_title("Accuracy on training images (open) and on test images (filled)")
    return (
        "Accuracy of each network at equal size, one dot per seed: open on the training images, "
        "filled on the test images (mean ± standard deviation). Their distance shows overfitting."
    )


def by_shift(axes, found: Results) -> str | None:
    done = {name: m for name, m in _done(found).items() if len(m.shifted) > 1}
    if not done:
        return None
    for name, m in done.items():
        _band(axes, m.shifted, COLOURS[name], name)
    axes.set_xticks(sorted(next(iter(done.values())).shifted))
    axes.set_xlabel("test images shifted by, pixels")
    axes.set_ylabel("test accuracy, %")
    axes.set_title("Test accuracy on shifted images")
    axes.legend(frameon=False)
    return (
        "Test accuracy when every test image is shifted, the mean over the four directions; no "
        "network saw a shifted image in training. Bands are one standard deviation over seeds."
    )


def by_images(axes, found: Results) -> str | None:
    done = {name: m for name, m in _done(found).items() if m.few_test}
    n = found.images
    if not done:
        return None
    for name, m in done.items():
        _band(axes, {**m.few_test, n: m.test}, COLOURS[name], name)
        few = {**m.few_train, n: m.train}
        sizes = sorted(few)
        axes.plot(sizes, [100 * mean(few[s]) for s in sizes], ":", color=COLOURS[name], lw=1.4)
    axes.set_xscale("log")
    sizes = sorted({*next(iter(done.values())).few_test, n})
    axes.set_xticks(sizes, [f"{s:,}" for s in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training images")
    axes.set_ylabel("accuracy, %")
    axes.set_title("Accuracy by number of training images")
    axes.legend(frameon=False, loc="lower right")
    return (
        "Accuracy on test images (solid) and on the training images (dotted) against "
        "the number of training images. Bands are one standard deviation over seeds."
    )


def _band(axes, by, colour, label):
    at = sorted(by)
    middle = [100 * mean(by[a]) for a in at]
    spread = [100 * stdev(by[a]) if len(by[a]) > 1 else 0 for a in at]
    axes.plot(at, middle, "o-", color=colour, label=label, lw=2, ms=5)
    low, high = ([m + sign * s for m, s in zip(middle, spread, strict=True)] for sign in (-1, 1))
    axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)


def _done(found):
    return {name: m for name, m in found.networks.items() if m.test}
