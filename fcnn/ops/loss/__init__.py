"""Loss functions, with one value per example."""
