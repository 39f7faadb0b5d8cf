"""Prices at the edge: the tables that are shipped or refreshed, and AWS's price list that they come from."""
