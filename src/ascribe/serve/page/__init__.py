"""The page where people look: files of HTML, CSS and ES modules, given to whoever asks, and all the same to everybody.

A **file** is what lies in `static/`, read once; the **front** answers for it before anybody is asked who they are.
Every number on the page comes from the REST door, with the caller's token as anywhere else. `docs.html` is the door's
own page at `/docs`. This package imports nothing of the rooms behind the door.
"""
