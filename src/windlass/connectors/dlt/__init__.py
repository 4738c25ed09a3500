"""Sources of dlt: https://dlthub.com/docs."""
