"""Where the facts are: each source yields a table or events; opening one checks that it is what its name says."""
