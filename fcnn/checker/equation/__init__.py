"""The equation of a backward pass, and the gradients that one mistake in it gives."""
