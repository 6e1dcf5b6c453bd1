"""The one way out to teachers' servers: listed hosts, checked addresses, bounded calls."""
