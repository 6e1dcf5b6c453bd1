"""Those who learn."""
