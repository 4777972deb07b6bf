"""Delta jobs: of a finished file job, the rows whose answers can have changed with a snapshot are matched again."""
