"""Time series as training examples: reading, split by time, scaling, and windows with targets.

    read_csv --split--> train, validation, test --Scaling--> values near 1 --windows--> x, y

Scaling is fitted on the training part only. Windows are made of each part, so that no window
crosses a split.
"""

from fcnn.data.series.read_csv import Table, read_csv
from fcnn.data.series.scaling import Scaling
from fcnn.data.series.split import split
from fcnn.data.series.windows import windows

__all__ = ["Scaling", "Table", "read_csv", "split", "windows"]
