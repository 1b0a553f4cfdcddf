"""The explorer of fc_vs_conv in headless Chromium: its numbers are JAX's, and it answers a reader.

The networks have random weights. Images are test images of the digits, with a frame of 2
pixels, or enlarged to the size of MNIST.
"""

import json

import jax
import numpy as np
import pytest
from chromium import page

from experiments.fc_vs_conv.config import Config
from experiments.fc_vs_conv.explorer import kept
from experiments.fc_vs_conv.explorer.ladder import diagram, stages
from experiments.fc_vs_conv.explorer.page import sections
from experiments.fc_vs_conv.explorer.pictures import GAP, mosaic, moved, signed
from experiments.fc_vs_conv.explorer.stored import decoded, encoded, forward, weights
from experiments.fc_vs_conv.measured import Measured, Results, read, results
from fcnn.data import Images, load
from fcnn.layers import dense, flatten, serial, shapes
from fcnn.models import ladder

SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]
HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'
PROBABILITIES = "[...document.querySelectorAll('.bars td')].map(cell => cell.textContent)"
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
OUTPUTS = """explorer.networks.map(network => IMAGES.map(data => {
  const outputs = explorer.forward(network, { shape: explorer.data.shape, data });
  const maps = explorer.data.classes.map((_, k) => explorer.classActivation(network, outputs, k));
  return [[...outputs.at(-1).data], maps[0] && maps.map(map => [...map.data])];
}))"""


def shown(images, count=100):
    """Networks for these images, the first test images, and what a run keeps of both."""
    nets, random = ladder(images.x.shape[1:]), np.random.default_rng(0)
    test = Images(images.x[:count], images.y[:count])
    networks = {}
    for name, net in nets.items():
        params = shapes(net, images.x.shape[1:])[0]
        draw = lambda a: random.normal(0, (2 / max(1, a.size // a.shape[-1])) ** 0.5, a.shape)
        networks[name] = kept.network(net, jax.tree.map(draw, params), test)
    return nets, test, kept.Shown(networks, kept.examples(images, tuple("0123456789")))


def write(path, found, dataset):
    html = "".join(s.html for s in sections(Config(dataset=dataset), Results({}, 0, found)))
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8>{HEAD}{html}</html>")
    return path


@pytest.fixture(scope="module")
def digits():
    test = load("digits", None).test
    return Images(np.pad(test.x, ((0, 0), (2, 2), (2, 2), (0, 0))), test.y)


def at(tab, selector, x, y):
    """The place in the window of a point of an element; x and y are from 0 to 1."""
    tab.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    box = tab.run(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
    return {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}


def drag(tab, selector, points):
    """Press the mouse at the first point, move it along the others, and release it."""
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
    for kind, point in zip(kinds, [*points, points[-1]], strict=True):
        place = at(tab, selector, *point)
        tab.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
    tab.run(FRAMES)


@pytest.fixture
def none_wrong(monkeypatch):
    """No search for the most wrong images, which compiles each network."""
    monkeypatch.setattr(kept, "_wrong", lambda *args: [])


@pytest.mark.usefixtures("jax_defaults", "none_wrong")
def test_the_page_computes_what_jax_computes_and_answers_a_reader(tmp_path, digits):
    nets, test, found = shown(digits)
    with page() as tab:
        tab.open(write(tmp_path / "page.html", found, "digits"))
        images = json.dumps(test.x.reshape(len(test.x), -1).tolist())
        computed = tab.run(OUTPUTS.replace("IMAGES", images))
        for (name, net), in_page in zip(nets.items(), computed, strict=True):
            params = weights(found.networks[name])
            logits = jax.jit(net.apply)(params | empty(net, params), {}, test.x)[0]
            np.testing.assert_allclose([y for y, _ in in_page], logits, atol=1e-3)
            maps = [map for _, map in in_page]
            if name != "conv3-gap":
                assert maps == [None] * len(maps)
                continue
            outputs = forward(found.networks[name], test.x)
            np.testing.assert_allclose(outputs["dense1"], logits, atol=1e-4)
            w, b = params["dense1"]["w"], params["dense1"]["b"]
            expected = np.einsum("nijm,mk->nkij", outputs["relu3"], w).reshape(len(maps), 10, -1)
            np.testing.assert_allclose(maps, expected, atol=1e-3)
            np.testing.assert_allclose(np.mean(maps, -1) + b, logits, atol=1e-3)
        answers(tab)
        assert tab.requests() == []
        assert tab.errors() == []


def empty(net, params):
    """The entries of the layers without parameters."""
    return {name: {} for name, _ in net.parts if name not in params}


def answers(tab):
    """A stroke, a shift, keys and buttons change what the page shows."""
    first = tab.run(PROBABILITIES)
    drag(tab, "#explorer-pen", SEVEN)
    drawn = tab.run(PROBABILITIES)
    assert drawn != first
    ink = "explorer.image(explorer.state.drawing, {height: 12, width: 12, ...explorer.data.pen})"
    picture = np.array(tab.run(f"[...{ink}.data]")).reshape(12, 12)
    rows, columns = np.flatnonzero(picture.max(1) > 0.2), np.flatnonzero(picture.max(0) > 0.2)
    assert (rows[0], rows[-1]) == (2, 9)  # a box of 8 pixels, in the middle
    assert abs(columns[0] + columns[-1] - 11) <= 1
    drag(tab, "#explorer-seen", [(0.5, 0.5), (0.5 + 2 / 12, 0.5 - 1 / 12)])
    assert tab.run("explorer.state.shift") == [-1, 2]
    assert tab.run("document.getElementById('explorer-shift').textContent") == (
        "shifted: 2 right, 1 up"
    )
    shifted = tab.run(PROBABILITIES)
    assert shifted != drawn
    tab.run("document.getElementById('explorer-seen').focus()")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown"):
        for kind in ("keyDown", "keyUp"):
            tab.send("Input.dispatchKeyEvent", type=kind, key=key)
    tab.run(FRAMES)
    assert tab.run("explorer.state.shift") == [0, 0]
    assert tab.run(PROBABILITIES) == drawn
    press = lambda name: tab.run(f"document.getElementById('explorer-{name}').click(), {FRAMES}")
    press("next")
    assert tab.run(PROBABILITIES) == first
    tab.run(f"document.querySelector('#explorer-clear').click(), {FRAMES}")
    assert set(tab.run(PROBABILITIES)) == {""}
    press("next")
    live = "new Promise(done => setTimeout(() => done(explorer.live.textContent), 500))"
    live = live.replace("explorer.live", "document.getElementById('explorer-live')")
    assert tab.run(live).startswith("dense reads ")


@pytest.mark.usefixtures("jax_defaults", "none_wrong")
def test_a_stroke_by_touch_is_answered_at_once_at_the_size_of_mnist(
    tmp_path, digits, record_property
):
    large = np.kron(digits.x[:, 2:-2, 2:-2], np.ones((1, 3, 3, 1), np.float32))
    large = Images(np.pad(large, ((0, 0), (2, 2), (2, 2), (0, 0))), digits.y)
    found = shown(large)[2]
    path = write(tmp_path / "page.html", found, "mnist")
    assert path.stat().st_size < 2e6
    with page() as tab:
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        tab.send("Emulation.setDeviceMetricsOverride", **phone)
        tab.send("Emulation.setTouchEmulationEnabled", enabled=True)
        tab.open(path)
        before = tab.run(PROBABILITIES)
        for x in np.linspace(0.3, 0.7, 12):
            touch = [at(tab, "#explorer-pen", x, 0.2 + x)]
            kind = "touchStart" if x == 0.3 else "touchMove"
            tab.send("Input.dispatchTouchEvent", type=kind, touchPoints=touch)
            tab.run(FRAMES)
        tab.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        assert tab.run(PROBABILITIES) != before
        times = tab.run("explorer.times")
        record_property("milliseconds", times)
        print("milliseconds of each update:", np.round(times).tolist())
        assert len(times) >= 12
        assert min(times) < 50  # the others may wait for a busy machine
        assert tab.run("document.documentElement.scrollWidth") <= 390
        assert tab.errors() == []


def test_arrays_are_kept_as_float16(digits):
    x = digits.x[:3]
    np.testing.assert_array_equal(decoded(encoded(x), x.shape), x)  # multiples of 1 / 16
    assert decoded(encoded(np.array([1 / 3])), (1,))[0] == np.float16(1 / 3)


@pytest.mark.usefixtures("jax_defaults")
def test_the_most_wrong_images_have_the_largest_probability_of_another_class():
    x, w = np.eye(4, dtype=np.float32).reshape(4, 2, 2, 1), np.diag([1.0, 4, 3, 2])
    net = serial(flatten(), dense(4))
    params = {"flatten1": {}, "dense1": {"w": w, "b": np.zeros(4)}}
    network = kept.network(net, params, Images(x, np.array([1, 0, 2, 0])))
    p = [np.exp(size) / (np.exp(size) + 3) for size in (4, 2, 1)]
    assert [each["predicted"] for each in network["wrong"]] == [1, 3, 0]  # image 2 is right
    assert [each["label"] for each in network["wrong"]] == [0, 0, 1]
    assert [each["probability"] for each in network["wrong"]] == pytest.approx(p, abs=1e-5)
    np.testing.assert_array_equal(decoded(network["wrong"][0]["x"], x[1].shape), x[1])


def test_the_ladder_has_the_stages_and_outlines_each_swap(digits):
    networks = {
        name: {"input": [12, 12, 1], "layers": kept.describe(net, (12, 12, 1))}
        for name, net in ladder((12, 12, 1)).items()
    }
    kinds = [[stage.kind for stage in stages(n["layers"])] for n in networks.values()]
    assert kinds == [["conv"] * c + ["dense"] * (4 - c) for c in (0, 1, 2, 3, 3)]
    svg = diagram(networks)
    assert svg.count("swapped") == 4  # one stage of each of conv1, conv2, conv3, and the average
    assert "12,760" in svg


def test_pictures():
    assert signed(np.array([[2.0, -1.0, 0.0]]))[0, :, 3].tolist() == [255, 127, 0]
    maps = np.zeros((2, 2, 3))
    maps[..., 2] = 1
    pixels = mosaic(maps)
    assert pixels.shape == (5, 5, 4)
    assert pixels[2, 2].tolist() == list(GAP)
    assert pixels[3:, :2, 0].min() == 255
    assert pixels[:2, [0, 1, 3, 4], 0].max() == 0
    x = np.arange(4.0).reshape(1, 1, 4, 1)
    assert moved(x, 1).ravel().tolist() == [0, 0, 1, 2]


def test_kept_results_have_no_weights_and_are_read_without():
    bare = Measured(1, 1, 1, [0.9], [1.0], {0: [0.9]})
    found = Results({"dense": bare}, 5, kept.Shown({"dense": {"weights": "AAAA"}}))
    text = json.dumps(results(found))
    assert "AAAA" not in text
    (section,) = sections(Config(), read(json.loads(text)))
    assert "no weights" in section.html
