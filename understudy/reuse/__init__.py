"""Reuse: a suite that passed is not run again while nothing has changed that its result depends on."""
