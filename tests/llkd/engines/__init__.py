"""Engines: each answers as the reference, or is not served."""
