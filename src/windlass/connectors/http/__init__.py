"""HTTP: APIs to read records from, and a server of files as the dev service."""
