"""The calls of the contract, each once: both clients are made of these."""
