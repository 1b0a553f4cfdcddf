"""Forward functions from all corners of the field, for the mutation engine."""
