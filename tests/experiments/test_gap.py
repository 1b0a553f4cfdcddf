"""Digits lie in their boxes, and hits of maps are counted by the centre of a cell."""

import numpy as np

from experiments.gap.canvas import class_maps, hits, placed
from fcnn.data import Images


def test_a_placed_digit_fills_its_box_and_nothing_else():
    images = Images(np.ones((20, 3, 3, 1), np.float32), np.arange(20, dtype=np.int32))
    found = placed(images, 7, seed=0)
    assert (found.x.sum((1, 2, 3)) == 9).all()
    for canvas, (top, left) in zip(found.x, found.corners, strict=True):
        assert (canvas[top : top + 3, left : left + 3] == 1).all()
    assert {found.corners.min(), found.corners.max()} == {0, 4}


def test_a_map_is_the_weighted_sum_of_features():
    features = np.zeros((1, 2, 2, 2))
    features[0, 0, 1] = (1, 10)
    w = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert class_maps(features, w, np.array([2])).tolist() == [[[0, 63], [0, 0]]]


def test_a_hit_has_the_centre_of_its_cell_in_the_box():
    maps = np.zeros((3, 4, 6))
    maps[:, 1, 4] = 1  # centre at row 3, column 9, for cells of 2 pixels
    corners = np.array([[1, 7], [4, 7], [3, 9]])
    assert hits(maps, corners, stride=2, side=3).tolist() == [True, False, True]
