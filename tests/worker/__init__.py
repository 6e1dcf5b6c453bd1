"""Promises of the worker room."""
