"""What the API and the workers share: rows, files, queue, configuration."""
