"""The jobs in torch: eager modules, and `torch.optim.Adam` with its default options.

Images have the shape (n, c, h, w). Images and kernels have the memory format channels_last. All
arrays are on the device of JAX's default backend.
"""

from itertools import cycle, islice

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

from experiments.speed.libraries import Prepared
from experiments.speed.positions import sinusoids
from fcnn.cli.bench import jobs
from fcnn.cli.bench.jobs import LEARNING_RATE, Job, batches


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn with `seed`."""
    torch.manual_seed(seed)
    images = len(job.shape) == 3
    layout = torch.channels_last if images else torch.contiguous_format
    device = device_of_jax()
    model = MODELS[type(job.network)](job.network, job.shape).to(device)
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def put(x, y):
        x = torch.from_numpy(np.moveaxis(x, -1, 1) if images else x)
        return x.to(device).contiguous(memory_format=layout), torch.from_numpy(y).long().to(device)

    endless = cycle([put(*batch) for batch in batches(job, x, y)])

    def run(k):
        loss = torch.tensor(float("nan"))
        for x, y in islice(endless, k):
            optimizer.zero_grad()
            logits = model(x)
            loss = F.cross_entropy(logits.flatten(0, -2), y.flatten())
            loss.backward()
            optimizer.step()
        if device.type != "cpu":
            torch.accelerator.synchronize()
        return loss.item()

    return Prepared(run, sum(p.numel() for p in model.parameters()))


def device_of_jax():
    """The torch device of JAX's default backend, so that JAX and torch are timed on one device.

    Raises: RuntimeError if torch has no such device.
    """
    if jax.default_backend() == "cpu":
        return torch.device("cpu")
    device = torch.accelerator.current_accelerator()
    if device is None:
        raise RuntimeError(f"torch: no device for JAX's backend {jax.default_backend()!r}")
    return device


def conv(c, o, window, stride=1, *, groups=1):
    return nn.Conv2d(c, o, window, stride, (window - 1) // 2, groups=groups, bias=False)


def normalized(c, o, window, stride=1, *, groups=1):
    return nn.Sequential(conv(c, o, window, stride, groups=groups), nn.BatchNorm2d(o), nn.ReLU())


class Average(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def cnn(network: jobs.Cnn, shape):
    h, w, c = shape
    body = []
    for o in network.channels:
        plain = nn.Sequential(nn.Conv2d(c, o, 3, padding=1), nn.ReLU())
        body += [normalized(c, o, 3) if network.batch_norm else plain, nn.MaxPool2d(2)]
        h, w, c = h // 2, w // 2, o
    body += [Average() if network.batch_norm else nn.Flatten()]
    c = c if network.batch_norm else h * w * c
    for o in network.hidden:
        body += [nn.Linear(c, o), nn.ReLU(), nn.Dropout(network.dropout)]
        c = o
    return nn.Sequential(*body, nn.Linear(c, network.classes))


class Block(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.body = nn.Sequential(normalized(c, o, 3, stride), conv(o, o, 3), nn.BatchNorm2d(o))
        same = c == o and stride == 1
        short = nn.Sequential(conv(c, o, 1, stride), nn.BatchNorm2d(o))
        self.shortcut = nn.Identity() if same else short

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.body(x))


def resnet(network: jobs.ResNet, shape):
    c = network.widths[0]
    body: list[nn.Module] = [normalized(shape[-1], c, 3)]
    for i, width in enumerate(network.widths):
        for j in range(network.blocks):
            body.append(Block(c, width, 2 if i > 0 and j == 0 else 1))
            c = width
    return nn.Sequential(*body, Average(), nn.Linear(c, network.classes))


def mobilenet(network: jobs.MobileNet, shape):
    c = network.stem
    body = [normalized(shape[-1], c, 3)]
    for features, stride in network.blocks:
        body += [normalized(c, c, 3, stride, groups=c), normalized(c, features, 1)]
        c = features
    return nn.Sequential(*body, Average(), nn.Linear(c, network.classes))


def mlp(network: jobs.Mlp, shape):
    (c,) = shape
    body = []
    for h in network.hidden:
        body += [nn.Linear(c, h), nn.ReLU()]
        c = h
    return nn.Sequential(*body, nn.Linear(c, network.classes))


class Lstm(nn.Module):
    """LSTM, and logits from its last state. torch has two biases per gate, where one is enough."""

    def __init__(self, network: jobs.Lstm, shape):
        super().__init__()
        self.lstm = nn.LSTM(shape[-1], network.hidden, batch_first=True)
        self.last = nn.Linear(network.hidden, network.classes)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.last(y[:, -1])


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, c))


class TransformerBlock(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.attention = nn.Sequential(
            nn.LayerNorm(network.width), Attention(network.width, network.heads)
        )
        dense = (
            nn.Linear(network.width, network.mlp_width),
            nn.GELU(),
            nn.Linear(network.mlp_width, network.width),
        )
        self.mlp = nn.Sequential(nn.LayerNorm(network.width), *dense)

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.mlp(x)


class Transformer(nn.Module):
    def __init__(self, network: jobs.Transformer, shape):
        super().__init__()
        self.embed = nn.Embedding(network.vocabulary, network.width)
        self.register_buffer("positions", torch.from_numpy(sinusoids(shape[0], network.width)))
        self.blocks = nn.Sequential(*(TransformerBlock(network) for _ in range(network.depth)))
        self.last = nn.Sequential(
            nn.LayerNorm(network.width), nn.Linear(network.width, network.vocabulary)
        )

    def forward(self, x):
        return self.last(self.blocks(self.embed(x) + self.positions))


MODELS = {
    jobs.Cnn: cnn,
    jobs.ResNet: resnet,
    jobs.MobileNet: mobilenet,
    jobs.Mlp: mlp,
    jobs.Lstm: Lstm,
    jobs.Transformer: Transformer,
}
