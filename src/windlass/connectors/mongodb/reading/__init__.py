"""Reading a collection: documents become rows, each field a column."""
