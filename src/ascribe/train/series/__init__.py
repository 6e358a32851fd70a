"""Time series from files, lakes and databases: read, put on one grid, mended, cut by time.

Nouns: **options** say where a series lies and which columns are what; a **table** is rows as they came; **quarantine**
holds the rows that cannot be used, with the reason; a **mend** says what was found and done; `Read` is all of it.

    read_table -> moments -> samples -> grid -> mend -> Series
"""
