"""Readers, one file per format or family of formats; which one reads a file is decided by `opening` from its bytes."""
