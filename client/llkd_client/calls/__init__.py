"""Every call of the contract, once: both clients are made of these."""
