"""Convolutions whose speed is compared with lax: layers of real networks, and drawn layers.

The choices of `impl="auto"` were tuned on `REAL`, so its results there are flattering. `drawn`
draws other layers from a fixed distribution, with a new seed for each judgement.
"""

import math
from collections.abc import Iterator

import numpy as np

from fcnn.bench.comparisons import Benchmark


def _layers(text: str) -> Iterator[Benchmark]:
    """One layer per line: name, batch, size, c, o, window, then stride and groups if not 1."""
    for line in text.strip().splitlines():
        name, n, size, *numbers = line.split()
        c, o, window, stride, groups = (*map(int, numbers), *(1, 1))[:5]
        shape = tuple(map(int, size.split("×")))
        yield benchmark(name, int(n), shape, c, o, window, stride, groups)


def benchmark(name, n, size, c, o, window, stride=1, groups=1, dilation=1) -> Benchmark:
    """A layer whose title states window, stride, groups and dilation."""
    parts = [
        "×".join([str(window)] * len(size)),
        f"/{stride}" if stride > 1 else "",
        " depthwise" if 1 < groups == c == o else f" in {groups} groups" if groups > 1 else "",
        f" dilated by {dilation}" if dilation > 1 else "",
    ]
    return Benchmark(name, "".join(parts), n, size, c, o, window, stride, groups, dilation)


REAL: tuple[Benchmark, ...] = tuple(
    _layers("""
resnet50-stem      4  224×224    3   64   7  2
resnet50-s1-a      8  56×56     64   64   1
resnet50-s1-b      8  56×56     64   64   3
resnet50-s1-c      8  56×56     64  256   1
resnet50-s2-b      8  56×56    128  128   3  2
resnet50-s2-skip   8  56×56    256  512   1  2
resnet50-s3-b      8  14×14    256  256   3
resnet50-s4-b2     8  14×14    512  512   3  2
resnet50-s4-b      8  7×7      512  512   3
resnet50-s4-c      8  7×7      512 2048   1
vgg16-1            2  224×224    3   64   3
vgg16-2            2  224×224   64   64   3
vgg16-3            2  112×112   64  128   3
vgg16-5            2  56×56    128  256   3
vgg16-8            4  28×28    256  512   3
vgg16-11           8  14×14    512  512   3
alexnet-1          8  224×224    3   64  11  4
alexnet-2          8  27×27     64  192   5
alexnet-3          8  13×13    192  384   3
mobilenetv2-stem   8  224×224    3   32   3  2
mobilenetv2-dw1    8  112×112   32   32   3  1   32
mobilenetv2-dw2    8  112×112   96   96   3  2   96
mobilenetv2-dw3    8  56×56    144  144   3  1  144
mobilenetv2-dw8    8  14×14    384  384   3  1  384
mobilenetv2-dw15   8  7×7      960  960   3  1  960
mobilenetv2-up     8  56×56     24  144   1
mobilenetv2-down   8  28×28    192   32   1
efficientnet-dw5   8  28×28    240  240   5  1  240
efficientnet-dw5s  8  56×56    144  144   5  2  144
efficientnet-dw5t  8  7×7     1152 1152   5  1 1152
convnext-patch     8  224×224    3   96   4  4
convnext-dw7       8  56×56     96   96   7  1   96
convnext-mlp       8  14×14    384 1536   1
vit-patch          8  224×224    3  192  16 16
unet-1             1  256×256    1   64   3
unet-2             1  256×256   64   64   3
unet-4             1  128×128  128  128   3
unet-up            1  128×128  256  128   3
unet-out           1  256×256   64    2   1
resnext50-32g      8  28×28    128  128   3  1   32
resnext50-32g-s2   8  28×28    256  256   3  2   32
shufflenet-3g      8  28×28    240  240   1  1    3
cifar-1          128  32×32      3   16   3
cifar-2          128  32×32     16   16   3
cifar-3          128  32×32     16   32   3  2
cifar-4          128  16×16     32   32   3
cifar-5          128  8×8       64   64   3
fcnn-cnn28-1     128  28×28      1   32   3
fcnn-cnn28-2     128  14×14     32   64   3
fcnn-cnn32-1      64  32×32      3   32   3
fcnn-cnn32-2      64  16×16     32   64   3
fcnn-resnet-2     64  32×32     64   64   3
fcnn-resnet-s2    64  32×32     64  128   3  2
lenet-1          128  28×28      1    6   5
lenet-2          128  14×14      6   16   5
odd-1             16  31×29     37   41   3
odd-2             16  13×17     61   67   3
wide-5             1  56×56     64   64   3
deep               8  7×7     1000 1000   3
srcnn-2           16  28×28     64   64   5
audio-m5-1         8  16000      1   64  80  4
audio-m5-2         8  4000      64   64   3
wav2vec-1          4  16000      1  512  10  5
wav2vec-3          4  800      512  512   3  2
audio-9            8  1000     128  128   9
conformer-dw       8  400      256  256  31  1  256
text-cnn          32  50       300  100   5
tcn               32  400       30   30   2
unet3d-1           1  64×64×64   1   16   3
unet3d-2           1  64×64×64  16   16   3
unet3d-4           1  32×32×32  32   64   3
unet3d-down        1  64×64×64  16   32   3  2
c3d-1              1  16×112×112 3   64   3
r3d-skip           1  8×28×28  128  256   1
""")
)

# Small batches, as in one step of a scan. XLA's own gradients can take seconds in a loop, so these
# layers are few and small.
LOOPED: tuple[Benchmark, ...] = tuple(
    _layers("""
resnet50-s3-b      2  14×14    256  256   3
resnet50-s1-a      2  56×56     64   64   1
vgg16-5            1  28×28    128  256   3
cifar-1           16  32×32      3   16   3
cifar-2           16  32×32     16   16   3
cifar-3           16  32×32     16   32   3  2
cifar-4           16  16×16     32   32   3
cifar-5           16  8×8       64   64   3
fcnn-cnn28-1      16  28×28      1   32   3
fcnn-resnet-s2     8  16×16     64  128   3  2
lenet-2           16  14×14      6   16   5
mobilenetv2-dw8    4  14×14     96   96   3  1   96
audio-m5-2         2  500       64   64   3
""")
)


def drawn(seed: int, count: int = 40) -> list[Benchmark]:
    """Draw layers that a network could have; seeds 101 and 102 were used for tuning too.

    A layer is one of six kinds, with the probabilities of `KINDS`. Sizes, channels and batches are
    log-uniform. A layer is drawn again unless it needs 1 to 3000 million multiply-adds, and at most
    12 million numbers for x and for y.
    """
    rng = np.random.default_rng(seed)
    found: list[Benchmark] = []
    while len(found) < count:
        layer = _draw(rng, f"drawn-{len(found)}")
        entries = layer.n * math.prod(layer.size) * layer.c
        entries = max(entries, layer.n * math.prod(layer.geometry.out) * layer.o)
        if 1e6 <= layer.flop / 2 <= 3e9 and entries <= 12e6:
            found.append(layer)
    return found


KINDS = {
    "dense": 0.5,
    "first": 0.12,
    "1×1": 0.13,
    "depthwise": 0.13,
    "grouped": 0.07,
    "patch": 0.05,
}
LARGEST = {1: 20_000, 2: 256, 3: 64}  # cells along each axis, by the number of axes


def _draw(rng: np.random.Generator, name: str) -> Benchmark:
    kind = rng.choice([*KINDS], p=[*KINDS.values()])
    rank = int(rng.choice([1, 2, 3], p=[0.15, 0.75, 0.1]))
    between = lambda low, high: int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
    size = (between(6 if rank > 1 else 30, LARGEST[rank]),) * rank
    if rng.random() < 0.2:  # images that are not square
        size = tuple(max(6, int(m * rng.uniform(0.6, 1))) for m in size)
    n = between(1, 128)
    c, o = between(8, 1024), between(8, 1024)
    if rng.random() < 0.7:  # most widths are multiples of 8
        c, o = 8 * (c // 8), 8 * (o // 8)
    if rng.random() < 0.4:
        o = c
    windows = {1: [2, 3, 5, 7, 9, 16, 31], 2: [2, 3, 5, 7, 9], 3: [2, 3, 5]}[rank]
    likely = {1: [1, 4, 2, 1, 1, 0.5, 0.5], 2: [0.5, 7, 1.5, 0.7, 0.3], 3: [1, 8, 1]}[rank]
    window = int(rng.choice(windows, p=np.array(likely) / sum(likely)))
    stride = int(rng.choice([1, 2, 3], p=[0.73, 0.24, 0.03]))
    dilation = int(rng.choice([1, 2], p=[0.95, 0.05])) if stride == 1 else 1
    groups = 1
    match kind:
        case "first":
            c, o = int(rng.choice([1, 2, 3, 4])), between(4, 128)
        case "1×1":
            window, dilation = 1, 1
        case "depthwise":
            groups, o = c, c
        case "grouped":
            groups = int(rng.choice([2, 4, 8, 32]))
            c, o = (groups * math.ceil(a / groups) for a in (c, o))
        case "patch":
            c, dilation = int(rng.choice([1, 3, 64])), 1
            window = stride = int(rng.choice([2, 4, 8, 16]))
    return benchmark(name, n, size, c, o, window, stride, groups, dilation)
