"""Cases that were read while the checker was developed."""
