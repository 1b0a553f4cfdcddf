"""Augmentations on small images, with known answers, in every dtype and on meshes."""

import itertools
from functools import partial
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from fcnn.data import Images, augment

KEY = jax.random.key(0)
NINE = np.arange(1.0, 10).reshape(1, 3, 3, 1)
ALL = {
    "shift": augment.shift(1),
    "padded_crop": augment.padded_crop(1, mode="reflect"),
    "flip": augment.flip(),
    "rotation": augment.rotation(30),
    "brightness": augment.brightness(0.9),
    "cutout": augment.cutout(2),
    "mixup": augment.mixup(1.0, classes=4),
}
COMPOSED = augment.compose(*ALL.values())


def many(image, n):
    """A batch of n copies of one image (h, w)."""
    return {"x": jnp.tile(jnp.asarray(image)[None, :, :, None], (n, 1, 1, 1))}


def images(f, image, n=500, key=KEY):
    """The n augmented copies (n, h, w) of one image."""
    return np.asarray(f(key, many(image, n))["x"][..., 0])


def batch(dtype=jnp.float64, n=4):
    x = np.random.default_rng(0).random((n, 4, 3, 2))
    x = jnp.asarray(x * 256 if dtype == jnp.uint8 else x, dtype)
    return {"x": x, "y": jnp.arange(n, dtype=jnp.int32), "id": jnp.arange(n)}


def by_value(ys):
    """Counts of the different arrays along the first axis."""
    values, counts = np.unique(ys.reshape(len(ys), -1), axis=0, return_counts=True)
    return {tuple(v): int(c) for v, c in zip(values, counts, strict=True)}


def uniform(counts, expected):
    """Whether `counts` has exactly the `expected` values, each about equally often."""
    n, k = sum(counts.values()), len(expected)
    within = 5 * np.sqrt(n / k)
    return counts.keys() == expected and all(abs(c - n / k) < within for c in counts.values())


def windows_of(padded, h, w):
    rows, columns = padded.shape[0] - h + 1, padded.shape[1] - w + 1
    places = itertools.product(range(rows), range(columns))
    return {tuple(padded[i : i + h, j : j + w].ravel()) for i, j in places}


def test_an_image_is_shifted_down_and_right():
    shifted = by_value(images(augment.shift(1), NINE[0, :, :, 0]))
    assert (0, 0, 0, 0, 1, 2, 0, 4, 5) in shifted
    assert (4, 5, 6, 7, 8, 9, 0, 0, 0) in shifted
    assert (1, 2, 3, 4, 5, 6, 7, 8, 9) in shifted


@pytest.mark.parametrize("fill", [0, -2])
def test_every_shift_is_equally_likely(fill):
    image = np.arange(1.0, 13).reshape(3, 4)
    counts = by_value(images(augment.shift(2, fill=fill), image, 2000))
    assert len(counts) == 25
    assert uniform(counts, windows_of(np.pad(image, 2, constant_values=fill), 3, 4))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_every_padded_crop_is_equally_likely(mode):
    image = np.arange(1.0, 13).reshape(3, 4)
    options = {"constant_values": 7} if mode == "constant" else {}
    counts = by_value(images(augment.padded_crop(1, mode=mode, fill=7), image))
    assert len(counts) == 9
    assert uniform(counts, windows_of(np.pad(image, 1, mode, **options), 3, 4))


@pytest.mark.parametrize(("axis", "flipped"), [("horizontal", np.fliplr), ("vertical", np.flipud)])
def test_half_of_the_images_are_flipped(axis, flipped):
    image = np.arange(6.0).reshape(2, 3)
    expected = {tuple(image.ravel()), tuple(flipped(image).ravel())}
    assert uniform(by_value(images(augment.flip(axis=axis), image)), expected)
    assert (images(augment.flip(1.0, axis=axis), image, 50) == flipped(image)).all()
    assert (images(augment.flip(0.0, axis=axis), image, 50) == image).all()


@pytest.mark.parametrize(
    ("quarters", "side"), [(-2, 3), (-1, 4), (0, 3), (1, 3), (1, 4), (2, 4), (3, 3), (4, 3)]
)
def test_rotation_by_multiples_of_90_degrees_is_exact(quarters, side):
    image = np.arange(float(side**2)).reshape(side, side)
    f = augment.rotation((90 * quarters, 90 * quarters))
    assert (images(f, image, 1)[0] == np.rot90(image, quarters)).all()


def test_rotation_of_an_oblong_image_leaves_its_fill():
    f = augment.rotation((90, 90), fill=7)
    np.testing.assert_array_equal(images(f, [[1.0, 2, 3]], 1), [[[7, 2, 7]]])
    np.testing.assert_array_equal(images(f, [[1.0], [2], [3]], 1), [[[7], [2], [7]]])


@pytest.mark.parametrize("degrees", [30, -70, 200])
def test_rotation_is_bilinear(degrees):
    """A plane stays a plane inside the image. A corner mixes `fill` by its distance."""
    u, v = np.meshgrid(np.arange(7) - 3, np.arange(7) - 3, indexing="ij")
    a = np.deg2rad(degrees)
    rotated = images(augment.rotation((degrees, degrees)), 1 + 2.0 * u - 3.0 * v, 1)[0]
    expected = 1 + 2 * (np.cos(a) * u + np.sin(a) * v) - 3 * (np.cos(a) * v - np.sin(a) * u)
    inside = np.hypot(u, v) <= 3
    np.testing.assert_allclose(rotated[inside], expected[inside], atol=1e-5)
    f = augment.rotation((degrees, degrees), fill=9)
    alone = images(f, [[1.0]], 1)
    np.testing.assert_array_equal(alone, [[[1.0]]])
    row, column = np.cos(a) - np.sin(a), np.cos(a) + np.sin(a)  # of the corner (1, 1)
    share = (1 - max(abs(row) - 1, 0)) * (1 - max(abs(column) - 1, 0))
    corner = images(f, np.ones((3, 3)), 1)[0, 2, 2]
    np.testing.assert_allclose(corner, share + 9 * (1 - share), atol=1e-5)


def test_angles_are_uniform_in_both_directions():
    """A linear image in the middle column, so that a pixel shows the sine of the angle."""
    v = np.tile(np.arange(5.0) - 2, (5, 1))
    sines = images(augment.rotation(20), v, 1000)[:, 3, 2]  # -sin a at u = 1, v = 0
    angles = -np.rad2deg(np.arcsin(sines))
    assert abs(angles).max() < 20.001
    counts, _ = np.histogram(angles, bins=4, range=(-20, 20))
    assert (abs(counts - 250) < 75).all()


def test_brightness_multiplies_an_image_by_one_factor_and_clips():
    image = np.array([[0, 0.25, 0.5, 1.0]])
    y = images(augment.brightness(0.6), image, 1000)[:, 0]
    factors = y[:, 1] / 0.25
    np.testing.assert_allclose(y, np.clip(factors[:, None] * image, 0, 1), atol=1e-12)
    counts, _ = np.histogram(factors, bins=4, range=(0.4, 1.6))
    assert counts.sum() == 1000
    assert (abs(counts - 250) < 75).all()
    x = jnp.full((20, 1, 3, 2), 0.25)
    y = augment.brightness(0.6)(KEY, {"x": x})["x"]
    assert (y == y[:, :1, :1, :1]).all()
    assert (augment.brightness(0.0)(KEY, {"x": x})["x"] == x).all()


@pytest.mark.parametrize(("size", "side"), [(1, 3), (2, 4), (3, 5), (5, 5)])
def test_cutout_covers_every_square_equally_often(size, side):
    """The centre is uniform over the image. Squares inside cover size² cells."""
    rows = np.arange(side)
    expected = {}
    for i, j in itertools.product(rows, rows):
        image = np.ones((side, side))
        low_i, low_j = i - size // 2, j - size // 2
        image[max(low_i, 0) : low_i + size, max(low_j, 0) : low_j + size] = 4
        expected[tuple(image.ravel())] = low_i >= 0 and low_j >= 0 and i + size <= side
        if low_i >= 0 and low_j >= 0 and max(low_i, low_j) + size <= side:
            assert (image == 4).sum() == size**2
    counts = by_value(images(augment.cutout(size, fill=4), np.ones((side, side)), 2000))
    assert len(expected) == side**2
    assert uniform(counts, expected.keys())


def test_cutout_sets_all_channels_of_an_oblong_image():
    x = jnp.ones((300, 3, 7, 2))
    y = np.asarray(augment.cutout(1)(KEY, {"x": x})["x"])
    assert (y[..., 0] == y[..., 1]).all()
    assert (y.sum((1, 2, 3)) == 2 * 20).all()
    assert ((y == 0).any((0, 3))).all()


@pytest.mark.parametrize("kind", ["labels", "distributions"])
def test_mixup_mixes_images_and_labels_by_one_share(kind):
    given = batch(n=6)
    x = np.asarray(given["x"])
    y = np.eye(6)
    f = augment.mixup(1.0, classes=6)
    mixed = f(jax.random.key(1), given | ({} if kind == "labels" else {"y": y.astype(np.float32)}))
    shares = np.asarray(mixed["y"])
    assert mixed["y"].dtype == x.dtype
    np.testing.assert_allclose(shares.sum(1), 1)
    off = shares * (1 - y)
    moved = off.any(1)
    share = 1 - off.max()
    partners = np.where(moved, off.argmax(1), np.arange(6))
    assert moved.sum() >= 2
    assert 0.01 < share < 0.99
    assert sorted(partners) == [*range(6)]
    np.testing.assert_allclose(shares, share * y + (1 - share) * y[partners])
    np.testing.assert_allclose(mixed["x"], share * x + (1 - share) * x[partners])
    np.testing.assert_allclose(mixed["x"].mean(0), x.mean(0))


def test_shares_of_mixup_have_the_beta_distribution():
    """For Beta(a, a), the mean is 1/2 and the variance is 1 / (8 a + 4)."""
    given = {"x": jnp.array([0.0, 1]).reshape(2, 1, 1, 1), "y": jnp.array([0, 1])}
    for alpha in (0.2, 2.0):
        f = augment.mixup(alpha, classes=2)
        y = jax.vmap(lambda key, f=f: f(key, given)["y"][0, 0])(jax.random.split(KEY, 4000))
        y = np.asarray(y)  # the share, or 1 for the identical permutation
        identical = (y == 1).mean()
        assert identical > 0.4
        shares = y[y < 1]
        assert abs(shares.mean() - 0.5) < 0.05
        if alpha > 1:
            assert abs(shares.var() - 1 / (8 * alpha + 4)) < 0.005
        else:
            assert (abs(shares - 0.5) > 0.4).mean() > 0.5


def test_composition_gives_each_augmentation_its_own_key():
    f, g = augment.shift(1), augment.flip()
    composed = augment.compose(jax.jit(f), g, partial(f))(KEY, batch())
    expected = batch()
    for i, each in enumerate((f, g, f)):
        expected = each(jax.random.fold_in(KEY, i), expected)
    np.testing.assert_array_equal(composed["x"], expected["x"])


@pytest.mark.parametrize("name", ALL)
def test_the_key_decides_and_other_entries_are_the_same_arrays(name):
    f, given = ALL[name], batch()
    y, again, other = (f(key, given) for key in (KEY, jax.random.key(0), jax.random.key(2)))
    np.testing.assert_array_equal(y["x"], again["x"])
    assert (y["x"] != other["x"]).any()
    assert list(y) == ["x", "y", "id"]
    assert y["id"] is given["id"]
    assert (y["y"] is given["y"]) == (name != "mixup")
    assert given["x"] is not y["x"]
    np.testing.assert_array_equal(given["x"], batch()["x"])
    raw = f(jax.random.key_data(KEY), given)
    np.testing.assert_array_equal(raw["x"], y["x"])
    assert f.__name__ == name


@pytest.mark.parametrize("name", [name for name in ALL if name != "mixup"])
def test_examples_draw_different_numbers(name):
    y = images(ALL[name], np.arange(9).reshape(3, 3) / 9 + 0.01, 20)
    assert len(by_value(y)) > 1


def test_a_pair_becomes_a_dict():
    given = batch()
    for pair in ((given["x"], given["y"]), Images(*map(np.asarray, (given["x"], given["y"])))):
        y = COMPOSED(KEY, pair)
        assert list(y) == ["x", "y"]
        np.testing.assert_array_equal(y["x"], COMPOSED(KEY, given)["x"])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16", "uint8"])
def test_every_dtype_is_kept_and_near_float64(dtype):
    """The images differ by rounding only, because the random numbers do not depend on x."""
    given = batch(jnp.dtype(dtype))
    unit = 255 if dtype == "uint8" else 1
    exact = given | {"x": given["x"].astype(jnp.float64) / unit}
    rounding = 0.51 if dtype == "uint8" else 0.3 * float(jnp.finfo(dtype).eps)  # pixels are below 1
    within = max(rounding, 1e-6)
    for name, f in ALL.items():
        y, expected = f(KEY, given), f(KEY, exact)
        assert (y["x"].dtype, y["x"].shape) == (given["x"].dtype, given["x"].shape), name
        np.testing.assert_allclose(
            y["x"].astype(jnp.float64), expected["x"] * unit, rtol=0, atol=within, err_msg=name
        )
        if name == "mixup":
            assert y["y"].dtype == ("float32" if dtype == "uint8" else dtype)


def test_uint8_does_not_wrap():
    white, black = np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8)
    bright = images(augment.brightness(1.0), white, 50)
    assert bright.max() == 255
    assert (bright == 255).all((1, 2)).sum() > 10
    assert (images(augment.rotation(180, fill=255), white, 50) == 255).all()
    assert (images(augment.rotation(180), black, 50) == 0).all()
    pair = {"x": jnp.stack([white, white])[..., None], "y": jnp.array([0, 1])}
    assert (augment.mixup(1.0, 2)(KEY, pair)["x"] == 255).all()
    assert images(augment.shift(1, fill=255), black, 50).max() == 255


def test_jit_scan_and_vmap_over_keys_give_the_eager_result():
    given = batch() | {"y": jnp.eye(4)}
    keys = jax.random.split(KEY, 3)
    eager = [COMPOSED(key, given)["x"] for key in keys]
    mapped = jax.jit(jax.vmap(COMPOSED, (0, None)))(keys, given)["x"]
    scanned = jax.lax.scan(lambda c, key: (c, COMPOSED(key, c)["x"]), given, keys)[1]
    for y in (mapped, scanned):
        np.testing.assert_allclose(y, jnp.stack(eager), atol=1e-12)


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "automatic"])
def test_a_sharded_batch_gives_the_same_images_and_stays_sharded(kind):
    mesh = jax.make_mesh((2,), ("examples",), axis_types=(kind,))
    sharding = NamedSharding(mesh, PartitionSpec("examples"))
    given = batch()
    sharded = jax.device_put(given, sharding)
    for f, of_mesh in ((COMPOSED, jax.jit(COMPOSED)), (ALL["mixup"], ALL["mixup"])):
        y, expected = of_mesh(KEY, sharded), f(KEY, given)
        for entry in ("x", "y", "id"):
            np.testing.assert_allclose(y[entry], expected[entry], atol=1e-12)
            assert y[entry].sharding.is_equivalent_to(sharding, y[entry].ndim)


def test_no_example_moves_between_devices_but_for_mixup():
    mesh = jax.make_mesh((2,), ("examples",), axis_types=(AxisType.Auto,))
    sharded = jax.device_put(batch(), NamedSharding(mesh, PartitionSpec("examples")))
    without = augment.compose(*(f for name, f in ALL.items() if name != "mixup"))
    moves = lambda f: "all-gather" in jax.jit(f).lower(KEY, sharded).compile().as_text()
    assert (moves(without), moves(ALL["mixup"])) == (False, True)


def test_an_empty_batch_stays_empty():
    f = jax.jit(augment.compose(ALL["shift"], ALL["mixup"]))
    y = f(KEY, (jnp.zeros((0, 4, 3, 2)), jnp.zeros(0, jnp.int32)))
    assert (y["x"].shape, y["y"].shape) == ((0, 4, 3, 2), (0, 4))


X = np.zeros((2, 4, 3, 1))
BYTES = X.astype(np.uint8)
CALLS = [  # a function, the batch, and the message
    *(
        (f, given, f"{name}: {message}")
        for name, f in [*ALL.items(), ("compose", COMPOSED)]
        for given, message in [
            ([X, X], "batch is a list, not a dict; write {'x': x, 'y': y}"),
            (X, "batch is a ndarray, not a dict"),
            ({"image": X, "y": np.zeros(2, int)}, "batch has no entry 'x'; it has 'image', 'y'"),
            ({"x": X[0], "y": np.zeros(4, int)}, r"x \(4, 3, 1\) needs 4 axes, \(n, h, w, c\)"),
            (
                {"x": X.astype(int), "y": np.zeros(2, int)},
                "x holds int64, neither floats nor uint8; write x.astype",
            ),
        ]
        if name != "compose" or "dict" in message
    ),
    (ALL["shift"], {}, "shift: batch has no entry 'x'; it has no entries"),
    (augment.shift(3), {"x": X}, r"shift: pixels 3 must be at most 2 for images x \(2, 4, 3, 1\)"),
    (augment.padded_crop(), {"x": X}, "padded_crop: pad 4 must be at most 2 for images x"),
    (augment.cutout(4), {"x": X}, "cutout: size 4 must be at most 3 for images x"),
    *(
        (f(1, fill=fill), {"x": BYTES}, f"fill {fill} must be an integer from 0 to 255, because x")
        for f in (augment.shift, augment.padded_crop, augment.rotation, augment.cutout)
        for fill in (0.5, -1, 256)
    ),
    (augment.mixup(), {"x": X}, "mixup: batch has no entry 'y'; it has 'x'"),
    (augment.mixup(), (X, np.zeros(2)), r"mixup: y \(2,\) holds float64, not integer labels"),
    (
        augment.mixup(),
        (X, np.zeros((2, 3))),
        r"mixup: y \(2, 3\); expected labels \(2,\) or \(2, 10\) for x .* and classes 10",
    ),
    (augment.mixup(), (X, np.zeros(3, int)), r"mixup: y \(3,\); expected labels \(2,\) or"),
    (augment.compose(augment.shift(3)), {"x": X}, "^shift: pixels 3 must"),
]


@pytest.mark.parametrize(("f", "given", "message"), CALLS)
def test_batches_that_do_not_fit_are_rejected_in_one_line(f, given, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        f(KEY, given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*ALL, "compose"])
def test_other_values_than_a_key_are_rejected(name):
    f = ALL.get(name, COMPOSED)
    with pytest.raises(TypeError, match=f"^{name}: key 3 is not .* write jax.random.key\\(3\\)$"):
        f(3, batch())
    with pytest.raises(TypeError, match=f"^{name}: key holds .*, not one random key"):
        f(jax.random.split(KEY, 2), batch())


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda f: f.shift(-1), ValueError, "shift: pixels -1 must be at least 0"),
        (lambda f: f.shift(1.5), TypeError, "shift: pixels 1.5 must be an integer"),
        (lambda f: f.shift(1, fill="a"), TypeError, "shift: fill 'a' must be a number"),
        (lambda f: f.shift(1, fill=np.nan), ValueError, "shift: fill nan must be finite"),
        (lambda f: f.padded_crop(-1), ValueError, "padded_crop: pad -1 must be at least 0"),
        (lambda f: f.padded_crop(1.0), TypeError, "padded_crop: pad 1.0 must be an integer"),
        (
            lambda f: f.padded_crop(mode="reflected"),
            ValueError,
            "padded_crop: unknown mode 'reflected'; expected .*; did you mean reflect?",
        ),
        (lambda f: f.padded_crop(fill=np.inf), ValueError, "padded_crop: fill inf must be finite"),
        (lambda f: f.flip(1.5), ValueError, r"flip: probability 1.5 must lie in \[0, 1\]"),
        (lambda f: f.flip("half"), TypeError, "flip: probability 'half' must be a number"),
        (
            lambda f: f.flip(axis="horizonal"),
            ValueError,
            "flip: unknown axis 'horizonal'; expected .*; did you mean horizontal?",
        ),
        (lambda f: f.rotation(-5), ValueError, r"rotation: degrees -5 .* or write \(low, high\)"),
        (lambda f: f.rotation((5, 1)), ValueError, r"rotation: degrees \(5, 1\) needs low <= high"),
        (lambda f: f.rotation((5,)), ValueError, r"rotation: degrees \(5,\) must be a number or"),
        (lambda f: f.rotation((5, "a")), TypeError, "rotation: degrees 'a' must be a number"),
        (lambda f: f.rotation("a"), TypeError, "rotation: degrees 'a' must be a number"),
        (lambda f: f.rotation(np.inf), ValueError, "rotation: degrees inf must be finite"),
        (lambda f: f.rotation(fill=np.inf), ValueError, "rotation: fill inf must be finite"),
        (lambda f: f.brightness(1.1), ValueError, r"brightness: strength 1.1 must lie in \[0, 1\]"),
        (lambda f: f.brightness("a"), TypeError, "brightness: strength 'a' must be a number"),
        (lambda f: f.cutout(0), ValueError, "cutout: size 0 must be at least 1"),
        (lambda f: f.cutout(2.0), TypeError, "cutout: size 2.0 must be an integer"),
        (lambda f: f.cutout(2, fill=np.nan), ValueError, "cutout: fill nan must be finite"),
        (lambda f: f.mixup(0.0), ValueError, "mixup: alpha 0.0 must be above 0 and finite"),
        (lambda f: f.mixup("a"), TypeError, "mixup: alpha 'a' must be a number"),
        (lambda f: f.mixup(classes=0), ValueError, "mixup: classes 0 must be at least 1"),
        (
            lambda f: f.compose(f.shift(1), 3),
            TypeError,
            r"compose: augmentation 1, 3, is not a function; write shift\(2\)",
        ),
        (
            lambda f: f.compose(augment.flip),
            TypeError,
            r"compose: augmentation 0 is flip itself; write flip\(...\)",
        ),
    ],
)
def test_options_that_do_not_fit_are_rejected_in_one_line(make, kind, message):
    with pytest.raises(kind, match=f"^{message}") as caught:
        make(Unwrapped())
    assert "\n" not in str(caught.value)


class Unwrapped:
    """The functions of `augment` without the check of annotations by the test run."""

    def __getattr__(self, name):
        return unwrap(getattr(augment, name))
