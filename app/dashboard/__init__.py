"""The dashboard: a page of static files that speaks only the public API."""
