"""Images in folders as training data: decoding, classes by folder, and a cache of the pixels."""
