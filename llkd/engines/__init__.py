"""What runs an exported graph: one engine a file."""
