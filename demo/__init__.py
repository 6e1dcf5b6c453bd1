"""A first run to watch: a made corpus, the service, a job, a served classifier."""
