"""Promises of the whole service: real processes, real servers, real kills."""
