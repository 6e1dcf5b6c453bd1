"""When a teacher's server is called, and what becomes of a call that fails."""
