"""`ascribe demo`: the whole journey on one machine, told as it goes. Nothing here that the other commands do not do.

journey     telemetry, lake, pipeline, service, answers, picture, page
serving     the service, and the telemetry that moves, as processes of their own
asking      the questions over both doors, and the answers as tables
traffic     `ascribe forecast demo`: the same for a forecast
"""
