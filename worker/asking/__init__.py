"""How every text gets its answer: from the store, or bought once, within the budget."""
