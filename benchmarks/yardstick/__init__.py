"""What `make bench` runs: rows, the contestants of each, and the figures that come of them.

``figures`` and ``tables`` are pure. ``programs`` starts contestants, ``worker`` is what runs inside
them, ``races`` has them take turns. Every other module is one topic of rows.
"""
