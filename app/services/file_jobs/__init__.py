"""Jobs over files: planned into chunks, matched by any number of workers, assembled in the file's order."""
