"""Sections of the report: the ladder, an explorer of the trained networks, the data, and filters.

kept.py      what a run keeps: weights of seed 0, test images      stored.py    read again
ladder.py    the networks as a diagram                             pictures.py  images as PNG
page.py      the sections                                          sections.css
forward.js   the forward pass       pen.js  a drawing as an image  explorer.js  the page's events
"""
