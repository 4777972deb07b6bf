"""Quality on labelled sets, measured through the product: dataset → activate → match."""
