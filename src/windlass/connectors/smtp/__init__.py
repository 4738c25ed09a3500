"""E-mail: messages over SMTP."""
