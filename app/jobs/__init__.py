"""Distillations: asked for, watched, cancelled, read."""
