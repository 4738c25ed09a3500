"""Measurements as destinations."""
