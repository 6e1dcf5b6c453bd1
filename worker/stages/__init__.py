"""The four parts of a job's life; each can be run again, and is skipped once it is stored."""
