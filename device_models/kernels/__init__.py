"""Compiled scalar physics: one device, one pulse."""
