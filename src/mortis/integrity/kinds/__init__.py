"""Kinds of corruption, one function each: what it supposes is put into baseline rows and compared with the incident's."""
