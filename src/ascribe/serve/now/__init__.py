"""What moves: the nodes' last minutes, explained once for all who look.

    follower   new rows from the state -> explained in batches, behind all requests -> rings, and events for listeners
    rings      every moment of half an hour, and means of a day's minutes, in arrays of a fixed size
    room       what is asked: now, a history, energy, a change, one moment
    hub        listeners, each with a bounded queue

It reads what the ingest leaves beside a lake (`bundle/recent.py`), and imports nothing of the offline side.
"""
