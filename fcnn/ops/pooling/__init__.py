"""Pooling, unpooling and resizing of grids."""
