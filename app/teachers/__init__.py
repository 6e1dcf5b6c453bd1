"""Stored connections to teachers' servers."""
