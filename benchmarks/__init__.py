"""What the service is worth, in figures anyone can measure again."""
