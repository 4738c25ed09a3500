"""Spark, by Spark Connect: SQL on a cluster, and its machines for the pieces of a copy."""
