"""Runs jobs: label, train, evaluate, export."""
