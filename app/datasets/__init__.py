"""Uploads, and what was found in them."""
