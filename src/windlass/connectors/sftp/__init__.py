"""Files of a server of SFTP."""
