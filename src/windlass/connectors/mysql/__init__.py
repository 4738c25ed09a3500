"""MySQL and MariaDB: tables and queries as sources, tables as destinations, and SQL."""
