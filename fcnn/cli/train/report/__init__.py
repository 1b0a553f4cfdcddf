"""report.html of `fcnn train`: learning curves and a confusion matrix on one page without scripts.

page, page.html    the page, from the lines of metrics.jsonl and the test results
curves → figure    what is drawn of each metric, as SVG, with ticks of `axis`
confusion, tables  the matrix, and tables with numbers as text
"""
