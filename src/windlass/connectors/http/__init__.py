"""HTTP: addresses to download from, and a server of files as the dev service."""
