"""The ways to get an answer out of a server, from the best to the poorest."""
