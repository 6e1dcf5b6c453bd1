"""Trained students that were registered."""
