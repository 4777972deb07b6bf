"""OpenSearch template bodies and the analyzer cases that specify them; data only, read by `app.search.template`."""
