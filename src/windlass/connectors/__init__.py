"""The two ends of a copy: databases and files. Each imports its driver inside its functions."""
