"""Those who label."""
