"""Background workers: take a job's id from the queue and call the service that does it."""
