"""Kinds of corruption, one function each: what it supposes is put into the baseline and compared with the incident."""
