"""The parts of a page of results: what its sections say, and what its charts draw. See lanes/report/html.py.

Colours stand in page.css and in the charts by the names of variables, which the page gives the values of its light or
its dark paper; page.js draws the charts, and timeline.js the lanes.
"""
