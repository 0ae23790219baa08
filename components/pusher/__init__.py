"""Pusher: publish a blessed model as a new version in one atomic step."""
