"""Tests of one module at a time; nothing here needs a host or root."""
