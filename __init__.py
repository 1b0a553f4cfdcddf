"""Cases that were written without having read the checker."""
