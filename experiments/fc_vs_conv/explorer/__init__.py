"""Sections of the report: the ladder, an explorer of the trained networks, the data, and filters.

kept.py     what a run keeps: weights of seed 0, test images      stored.py    reads it again
page.py     all sections; explorer.html.jinja, sections.css       pictures.py  arrays as PNG
ladder.py   the networks as a diagram
images.py   test images: examples, shifted, most wrong            inside.py    filters, maps
forward.js  the forward pass        pen.js  a drawing as an image         explorer.js  events
"""
