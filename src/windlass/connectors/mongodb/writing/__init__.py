"""Writing a collection: rows become documents, each column a field."""
