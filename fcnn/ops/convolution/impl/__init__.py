"""One module for each value of `impl`, and three helpers that several of them use."""
