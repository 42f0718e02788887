"""Cameras, badge readers and the panel: one protocol a kind, backends chosen by name, imported only when chosen.

Hardware that is missing is a state with a reason, never an exception: a room whose reader is unplugged must still
open its console and say so. Wrong configuration is an exception (`edge.errors.ConfigError`) at once.
"""
