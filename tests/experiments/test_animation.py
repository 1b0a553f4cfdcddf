"""Animations of reports in headless Chromium: paused, played, stepped, and still on request."""

import re
from itertools import product

import pytest
from chromium import page

from experiments.framework.animation import Animation, Frame
from experiments.framework.palette import variables
from experiments.optimizers import growing
from experiments.optimizers.valley import STEPS, USUAL
from experiments.windows import sliding
from experiments.windows.sizes import BY_HAND

HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'
COLOURS = (
    f":root {{ {variables(dark=False)} }} "
    f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(dark=True)} }} }}"
)
SHOWN = "[...document.querySelectorAll('.frame')].findIndex(f => f.classList.contains('shown'))"
VISIBLE = (
    "[...document.querySelectorAll('.frame')].filter(f => getComputedStyle(f).display != 'none')"
)
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
PLAY = "document.querySelector('.play')"
AFTER = "new Promise(done => setTimeout(() => done({what}), {milliseconds}))"


def frames(count):
    return [Frame(f'<circle cx="{9 * i}" cy="9" r="4"/>', f"step {i}") for i in range(count)]


def write(path, *sections):
    """A page with these sections, in the colours of reports."""
    html = "".join(f'<section id="{s.id}">{s.html}</section>' for s in sections)
    style = f"<style>{COLOURS} body {{ margin: 16px; }}</style>"
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8>{HEAD}{style}{html}")
    return path


def later(tab, what, milliseconds):
    return tab.run(AFTER.format(what=what, milliseconds=milliseconds))


def reduce_motion(tab, value="reduce"):
    features = [{"name": "prefers-reduced-motion", "value": value}]
    tab.send("Emulation.setEmulatedMedia", features=features)


def press(tab, key):
    code = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, " ": 32}[key]
    text = {"text": " "} if key == " " else {}
    for kind in ("keyDown", "keyUp"):
        options = {"key": key, "code": "Space" if key == " " else key}
        typed = text if kind == "keyDown" else {}
        tab.send(
            "Input.dispatchKeyEvent", type=kind, windowsVirtualKeyCode=code, **options, **typed
        )


def test_an_animation_waits_plays_to_its_end_and_can_be_stepped(tmp_path):
    quick = Animation("quick", "Quick", (90, 18), frames(5), seconds=0.05)
    slow = Animation("slow", "Slow", (90, 18), frames(5), seconds=0.5)
    with page() as tab:
        tab.open(write(tmp_path / "quick.html", quick.section()))
        assert tab.run(f"[{SHOWN}, {PLAY}.textContent]") == [4, "Play"]  # it is paused
        assert tab.run(f"{VISIBLE}.length") == 1
        assert tab.run(f"{PLAY}.click(), [{SHOWN}, {PLAY}.textContent]") == [0, "Pause"]
        assert later(tab, f"[{SHOWN}, {PLAY}.textContent]", 1500) == [4, "Play"]
        tab.open(write(tmp_path / "slow.html", slow.section()))
        assert later(tab, f"[{SHOWN}, {PLAY}.textContent]", 700) == [4, "Play"]
        by_hand(tab)
        reduce_motion(tab)
        tab.run(FRAMES)  # the event of the change is sent with a frame
        tab.run(f"{PLAY}.click()")
        assert later(tab, SHOWN, 700) == 0
        assert tab.run(f"getComputedStyle({PLAY}).display") == "none"
        tab.run("document.querySelector('.next').click()")
        assert tab.run("[document.querySelector('.now').textContent]") == ["step 1"]
        assert tab.requests() == []
        assert tab.errors() == []


def by_hand(tab):
    """Play and pause with the space bar, and step with the arrow keys of the slider."""
    tab.run(f"{PLAY}.focus()")
    press(tab, " ")
    assert tab.run(f"{PLAY}.textContent") == "Pause"
    press(tab, " ")
    at = tab.run(SHOWN)
    assert at < 4
    assert later(tab, SHOWN, 700) == at
    tab.run("document.querySelector('input').focus()")
    press(tab, "Home")
    assert tab.run(SHOWN) == 0
    assert tab.run("document.querySelector('.back').disabled")
    press(tab, "ArrowRight")
    found = "document.querySelector('input').getAttribute('aria-valuetext')"
    assert tab.run(f"[{SHOWN}, {found}]") == [1, "step 1"]
    assert tab.run("document.querySelector('svg').getAttribute('aria-label')") == "step 1"
    press(tab, "ArrowLeft")
    assert tab.run(SHOWN) == 0


def test_motion_stops_when_a_reader_turns_it_off(tmp_path):
    slow = Animation("slow", "Slow", (90, 18), frames(9), seconds=0.4)
    with page() as tab:
        tab.open(write(tmp_path / "page.html", slow.section()))
        tab.run(f"{PLAY}.click()")
        reduce_motion(tab)
        at = tab.run(SHOWN)
        assert at < 8
        assert later(tab, SHOWN, 600) == at


@pytest.fixture
def both():
    """The animations of the reports: paths of equal steps, and the sliding filter."""
    paths = {name: {"path": [[i - 7, 2 - i / 10] for i in range(STEPS + 1)]} for name in USUAL}
    return [*growing.sections(None, {growing.PATHS: paths}), *sliding.sections(None, {})]


def test_the_animations_of_reports_fit_a_phone_and_can_be_read(tmp_path, both):
    path = write(tmp_path / "page.html", *both)
    assert path.stat().st_size < 200_000
    size = "e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a"
    texts = f"[...document.querySelectorAll('.animation svg text')].map({size})"
    with page() as tab:
        for width in (390, 1280):
            options = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
            tab.send("Emulation.setDeviceMetricsOverride", **options)
            tab.open(path)
            assert tab.run("document.documentElement.scrollWidth") <= width
            assert tab.run(f"Math.min(...{texts})") >= 11
        assert tab.run(f"{VISIBLE}.length") == 2
        assert tab.errors() == []


def test_without_javascript_the_last_frames_are_visible_and_no_control_is(tmp_path, both):
    with page() as tab:
        tab.send("Emulation.setScriptExecutionDisabled", value=True)
        tab.open(write(tmp_path / "page.html", *both))
        assert tab.run(f"{VISIBLE}.length") == 2
        assert tab.run(f"{PLAY}.offsetParent === null")


def test_colours_follow_the_page(both):
    drawn = [re.sub("<style.*?</style>", "", section.html, flags=re.DOTALL) for section in both]
    assert all("var(--" in html and not re.search("#[0-9a-f]{6}", html) for html in drawn)


def test_the_sums_of_the_sliding_filter_are_those_by_hand():
    for i, j in product(range(2), range(2)):
        assert sliding.total(i, j) == BY_HAND[0][i][j]
    assert sliding.products(0, 1)[:3] == [(2, 2), (3, 0), (0, 1)]
    (section,) = sliding.sections(None, {})
    assert "1·2 + 2·0 + 3·1 + 0·0 + 1·1 + 2·2 + 3·1 + 0·0 + 1·2 = 15" in section.html


def test_a_run_without_paths_has_no_section_and_one_frame_is_no_animation():
    assert growing.sections(None, {}) == []
    with pytest.raises(ValueError, match="animation 'a' has 1 frames; write at least 2"):
        Animation("a", "A", (9, 9), frames(1))
