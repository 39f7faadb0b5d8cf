"""Understudy stands in for production: one isolated, short-lived environment per commit."""

__version__ = "0.1.0"
