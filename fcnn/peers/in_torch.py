"""The jobs in torch: eager modules, channels first, and `torch.optim.Adam` as it comes.

Images and kernels are in the channels_last memory format, on the device that JAX's backend names.
"""

from itertools import cycle, islice

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

from fcnn.peers import jobs
from fcnn.peers.jobs import RATE, Job, Prepared, batches


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn by `seed`."""
    torch.manual_seed(seed)
    images = len(job.shape) == 3
    layout = torch.channels_last if images else torch.contiguous_format
    device = device_of_jax()
    model = MODELS[type(job.network)](job.network, job.shape).to(device)
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), RATE)

    def put(x, y):
        x = torch.from_numpy(np.moveaxis(x, -1, 1) if images else x)
        return x.to(device).contiguous(memory_format=layout), torch.from_numpy(y).long().to(device)

    turn = cycle([put(*batch) for batch in batches(job, x, y)])

    def run(k):
        loss = torch.tensor(float("nan"))
        for x, y in islice(turn, k):
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
    """Where JAX computes, so that both are timed on one device.

    Raises: RuntimeError if torch cannot compute there.
    """
    if jax.default_backend() == "cpu":
        return torch.device("cpu")
    device = torch.accelerator.current_accelerator()
    if device is None:
        raise RuntimeError(f"peers: JAX computes on {jax.default_backend()}, but torch cannot")
    return device


def conv(c, o, window, stride=1, *, groups=1):
    return nn.Conv2d(c, o, window, stride, (window - 1) // 2, groups=groups, bias=False)


def normalized(c, o, window, stride=1, *, groups=1):
    return nn.Sequential(conv(c, o, window, stride, groups=groups), nn.BatchNorm2d(o), nn.ReLU())


class Average(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def cnn(of: jobs.Cnn, shape):
    h, w, c = shape
    body = []
    for o in of.channels:
        plain = nn.Sequential(nn.Conv2d(c, o, 3, padding=1), nn.ReLU())
        body += [normalized(c, o, 3) if of.batch_norm else plain, nn.MaxPool2d(2)]
        h, w, c = h // 2, w // 2, o
    body += [Average() if of.batch_norm else nn.Flatten()]
    c = c if of.batch_norm else h * w * c
    for o in of.hidden:
        body += [nn.Linear(c, o), nn.ReLU(), nn.Dropout(of.dropout)]
        c = o
    return nn.Sequential(*body, nn.Linear(c, of.classes))


class Block(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.body = nn.Sequential(normalized(c, o, 3, stride), conv(o, o, 3), nn.BatchNorm2d(o))
        same = c == o and stride == 1
        short = nn.Sequential(conv(c, o, 1, stride), nn.BatchNorm2d(o))
        self.shortcut = nn.Identity() if same else short

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.body(x))


def resnet(of: jobs.ResNet, shape):
    c = of.widths[0]
    body: list[nn.Module] = [normalized(shape[-1], c, 3)]
    for i, width in enumerate(of.widths):
        for j in range(of.blocks):
            body.append(Block(c, width, 2 if i > 0 and j == 0 else 1))
            c = width
    return nn.Sequential(*body, Average(), nn.Linear(c, of.classes))


def mobilenet(of: jobs.MobileNet, shape):
    c = of.stem
    body = [normalized(shape[-1], c, 3)]
    for features, stride in of.blocks:
        body += [normalized(c, c, 3, stride, groups=c), normalized(c, features, 1)]
        c = features
    return nn.Sequential(*body, Average(), nn.Linear(c, of.classes))


def mlp(of: jobs.Mlp, shape):
    (c,) = shape
    body = []
    for h in of.hidden:
        body += [nn.Linear(c, h), nn.ReLU()]
        c = h
    return nn.Sequential(*body, nn.Linear(c, of.classes))


class Lstm(nn.Module):
    """Torch has two biases to a gate, of which one would do."""

    def __init__(self, of: jobs.Lstm, shape):
        super().__init__()
        self.lstm = nn.LSTM(shape[-1], of.hidden, batch_first=True)
        self.last = nn.Linear(of.hidden, of.classes)

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
    def __init__(self, of):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(of.width), Attention(of.width, of.heads))
        dense = (nn.Linear(of.width, of.wide), nn.GELU(), nn.Linear(of.wide, of.width))
        self.think = nn.Sequential(nn.LayerNorm(of.width), *dense)

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.think(x)


class Transformer(nn.Module):
    def __init__(self, of: jobs.Transformer, shape):
        super().__init__()
        self.embed = nn.Embedding(of.vocabulary, of.width)
        self.register_buffer("positions", torch.from_numpy(jobs.sinusoids(shape[0], of.width)))
        self.blocks = nn.Sequential(*(TransformerBlock(of) for _ in range(of.depth)))
        self.last = nn.Sequential(nn.LayerNorm(of.width), nn.Linear(of.width, of.vocabulary))

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
