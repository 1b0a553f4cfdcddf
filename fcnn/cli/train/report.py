def page(title, config, rows, results):
    return "stub"
